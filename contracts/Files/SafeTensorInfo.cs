using TorchSharp;

namespace Zoo.Files;

/// <summary>A tensor in a safetensors file, as the header describes it. Reading it touches neither the data nor libtorch.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Dtype">Its element type.</param>
/// <param name="Shape">Its sizes; empty for a scalar.</param>
/// <param name="Offset">Where its data begin, in bytes from the start of the file.</param>
/// <param name="ByteCount">How many bytes they take.</param>
public sealed record SafeTensorInfo(string Name, torch.ScalarType Dtype, IReadOnlyList<long> Shape, long Offset, long ByteCount);
