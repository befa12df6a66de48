using Zoo.Native;

/// <summary>Loads libtorch before any test touches TorchSharp. No namespace: it runs once for the whole assembly.</summary>
[SetUpFixture]
public sealed class NativeLibraries
{
    [OneTimeSetUp]
    public void Load() => LibTorch.Load();
}
