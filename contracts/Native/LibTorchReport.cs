namespace Zoo.Native;

/// <summary>Where the native libraries of this process came from.</summary>
/// <param name="Directory">Folder of libtorch.</param>
/// <param name="LibTorchSharpPath">TorchSharp's native library as loaded.</param>
/// <param name="Patched">Whether that is a private copy that asks for an older C++ runtime than the original does.</param>
/// <param name="HasCuda">Whether the folder holds libtorch's CUDA library.</param>
public sealed record LibTorchReport(string Directory, string LibTorchSharpPath, bool Patched, bool HasCuda);
