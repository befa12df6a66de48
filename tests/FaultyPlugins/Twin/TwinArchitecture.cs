namespace Zoo.Faulty;

/// <summary>Installed twice by the tests.</summary>
public sealed class TwinArchitecture() : TinyArchitecture("twin");
