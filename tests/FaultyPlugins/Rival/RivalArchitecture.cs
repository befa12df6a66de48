namespace Zoo.Faulty;

/// <summary>Has the name of another plugin's architecture.</summary>
public sealed class RivalArchitecture() : TinyArchitecture("fine");
