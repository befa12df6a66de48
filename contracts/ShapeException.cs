namespace Zoo;

/// <summary>A tensor does not have the shape or dtype that an op or layer needs. The message names the argument and both shapes.</summary>
public sealed class ShapeException(string message) : UserException(message);
