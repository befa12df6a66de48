using TorchSharp;
using Zoo.Kernels;

namespace Zoo.Architectures;

/// <summary>What a model is built for.</summary>
public sealed record BuildContext
{
    /// <summary>Where the parameters live.</summary>
    public torch.Device Device { get; init; } = torch.CPU;

    /// <summary>
    /// The arithmetic of products with weights: float32 or bfloat16; layers pass it to <see cref="MixedPrecision"/>. Parameters are created in
    /// float32 either way.
    /// </summary>
    public torch.ScalarType Dtype { get; init; } = torch.ScalarType.Float32;

    /// <summary>
    /// Whether the matrices are held in the model's smaller form, for inference; asked of architectures with <see cref="ModelAbilities.Packed"/>
    /// alone. The model then never holds them all in float32, while it is built neither, and what it holds beside them (an embedding) is stored
    /// as <see cref="Dtype"/>.
    /// </summary>
    public bool Packed { get; init; }

    /// <summary>Which backend each op uses.</summary>
    public KernelChoice Kernels { get; init; } = KernelChoice.Auto;

    /// <summary>Ops of every installed plugin, by name.</summary>
    public OpCatalog Ops { get; init; } = OpCatalog.Empty;
}
