namespace Zoo.Faulty;

/// <summary>Fine by itself; another class of its assembly does not fit.</summary>
public sealed class MissingTypeArchitecture() : TinyArchitecture("missing-type");
