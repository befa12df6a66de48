namespace Zoo;

/// <summary>
/// The environment lacks something: a library, a device, a compiler. The message is for the user; the host prints it and exits with 3.
/// </summary>
public sealed class EnvironmentException(string message, Exception? inner = null) : Exception(message, inner);
