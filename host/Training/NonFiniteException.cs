namespace Zoo.Host.Training;

/// <summary>Training met a number that is not finite. The message says at which step and in which tensor first.</summary>
internal sealed class NonFiniteException(string message) : Exception(message);
