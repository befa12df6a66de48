namespace Zoo.Faulty;

/// <summary>Neither an architecture nor a plugin's entry class; the shared base class beside it is abstract.</summary>
public sealed class Nothing;
