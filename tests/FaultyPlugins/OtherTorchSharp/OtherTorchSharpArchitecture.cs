namespace Zoo.Faulty;

/// <summary>Built against a TorchSharp that this host does not have.</summary>
public sealed class OtherTorchSharpArchitecture() : TinyArchitecture("other-torchsharp");
