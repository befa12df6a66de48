namespace Zoo.Faulty;

/// <summary>Fine by itself; the plugin's entry class throws.</summary>
public sealed class ThrowingServicesArchitecture() : TinyArchitecture("throwing-services");
