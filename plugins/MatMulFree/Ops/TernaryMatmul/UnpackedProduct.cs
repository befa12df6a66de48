using static TorchSharp.torch;

namespace Zoo.MatMulFree.Ops.TernaryMatmul;

/// <summary>libtorch's product of unpacked numbers, for `zoo bench` to compare with. Unpacking is not timed: it is done once a matrix.</summary>
/// <param name="type">Type of the numbers.</param>
internal sealed class UnpackedProduct(ScalarType type)
{
    private Tensor? _codes, _weights;

    public NamedTensors Run(NamedTensors inputs, Zoo.Kernels.OpOptions options)
    {
        using var scope = NewDisposeScope();
        var weights = Weights(inputs["weight"], inputs["x"].shape[1]);
        var sums = nn.functional.linear(inputs["x"].to(type), weights).to(ScalarType.Float32);
        var y = sums * (inputs["w_scale"] / inputs["x_scale"]).unsqueeze(-1);
        return new() { ["y"] = (inputs.Find("bias") is { } bias ? y + bias : y).MoveToOuterDisposeScope() };
    }

    private Tensor Weights(Tensor codes, long dim)
    {
        if (!ReferenceEquals(_codes, codes))
        {
            _weights?.Dispose();
            _weights = TernaryPacking.Unpack(codes, dim).to(type).DetachFromDisposeScope();
            _codes = codes;
        }
        return _weights!;
    }
}
