namespace Zoo.Faulty;

/// <summary>Its deps.json names native libraries that are not there.</summary>
public sealed class MissingNativeArchitecture() : TinyArchitecture("missing-native");
