using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.XLstm.Ops.MlstmInputs;

/// <summary>What an mLSTM layer makes before its recurrence: queries, keys and values by block-diagonal weights, and from all three the gates.</summary>
/// <remarks>
/// Queries and keys see the convolved input, values the plain one; heads come apart on the way out, so that nothing has to be transposed. README.md beside
/// this file has the maths and the measurements.
/// </remarks>
public sealed class MlstmInputs : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static MlstmInputs Instance { get; } = new();

    private MlstmInputs()
    {
    }

    /// <inheritdoc/>
    public override string Name => "mlstm_inputs";

    /// <inheritdoc/>
    public override string Title => "Queries, keys and values by block-diagonal weights, and mLSTM's gates from the three";

    /// <summary>
    /// x and conv, [batch, time, block · block size]; wq, wk and wv, [block, block size, block size]; wi and wf, the gates' weights on q, k and v one after the
    /// other, [head, 3 · block · block size]; bi and bf, [head]; bq, bk and bv, [block · block size], 0 where not given.
    /// </summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("x", "B", "L", "N*K"), new("conv", "B", "L", "N*K"), new("wq", "N", "K", "K"), new("wk", "N", "K", "K"), new("wv", "N", "K", "K"),
        new("wi", "H", "3*N*K"), new("bi", "H"), new("wf", "H", "3*N*K"), new("bf", "H"),
        new("bq", "N*K") { Optional = true }, new("bk", "N*K") { Optional = true }, new("bv", "N*K") { Optional = true },
    ];

    /// <summary>q, k and v, [batch, head, time, dim]; i and f, [batch, head, time].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["q", "k", "v", "i", "f"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new MlstmInputsCpu(), new MlstmInputsCuda()];

    /// <summary>x and conv are read, q, k, v and the gates written; backward reads these and their gradients and writes two.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        double steps = (double)call.Size("B") * call.Size("L"), width = (double)call.Size("N") * call.Size("K"), heads = call.Size("H");
        var flops = steps * width * 6 * (call.Size("K") + 2 * heads);
        var bytes = 4 * steps * (5 * width + 2 * heads);
        return backward ? new(Bytes: 4 * steps * (13 * width + 4 * heads), Flops: 3 * flops) : new(Bytes: bytes, Flops: flops);
    }

    /// <summary>Weights of a size that keeps what they multiply; the rest from the standard normal distribution.</summary>
    public override Tensor Sample(OpArgument argument, long[] shape)
    {
        if (argument.Name[0] != 'w')
            return base.Sample(argument, shape);
        using Scalar scale = 1 / Math.Sqrt(shape[^1]);
        return randn(shape).mul_(scale);
    }

    /// <inheritdoc/>
    public override long? ExampleSize(string axis) => axis == "H" ? 2 : null;

    /// <inheritdoc/>
    protected override void Check(OpCall call)
    {
        var width = call.Size("N") * call.Size("K");
        if (call.Size("H") < 1 || width < 1 || width % call.Size("H") != 0)
            throw new ShapeException($"mlstm_inputs: {width} channels do not come apart into {call.Size("H")} heads ('wi' has a row for each).");
    }

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        long batch = inputs["x"].size(0), length = inputs["x"].size(1), heads = inputs["wi"].size(0);
        Tensor[] parts =
        [
            Blocks(inputs["conv"], inputs["wq"], inputs.Find("bq")), Blocks(inputs["conv"], inputs["wk"], inputs.Find("bk")),
            Blocks(inputs["x"], inputs["wv"], inputs.Find("bv")),
        ];
        var all = cat(parts, 2);
        Tensor Heads(Tensor part) => part.view(batch, length, heads, part.size(2) / heads).transpose(1, 2).MoveToOuterDisposeScope();
        Tensor Gate(string letter) => nn.functional.linear(all, inputs["w" + letter], inputs["b" + letter]).transpose(1, 2).MoveToOuterDisposeScope();
        return new() { ["q"] = Heads(parts[0]), ["k"] = Heads(parts[1]), ["v"] = Heads(parts[2]), ["i"] = Gate("i"), ["f"] = Gate("f") };
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call)
    {
        long batch = call.Size("B"), length = call.Size("L"), heads = call.Size("H"), dim = call.Size("N") * call.Size("K") / heads;
        KernelArraySpec q = new("q", batch, heads, length, dim), i = new("i", batch, heads, length);
        return [q, q with { Name = "k" }, q with { Name = "v" }, i, i with { Name = "f" }];
    }

    /// <summary>[batch, time, block · block size] times the blocks of a block-diagonal matrix.</summary>
    private static Tensor Blocks(Tensor x, Tensor weight, Tensor? bias)
    {
        var y = einsum("blni,noi->blno", x.view(x.size(0), x.size(1), weight.size(0), weight.size(2)), weight).flatten(2);
        return bias is null ? y : y + bias;
    }
}
