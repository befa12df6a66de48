using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Both normalisations in C#, a row after the other: a row stays in the first cache between its passes.</summary>
/// <param name="centre">Whether the mean is taken off: layer normalisation.</param>
internal sealed unsafe class NormCpu(bool centre) : OpKernel
{
    private const int WidestRow = 1 << 15;      // the backward keeps a row on the stack
    private const string Means = "means";
    private const string Rates = "rates";

    public override string Backend => KernelChoice.Cpu;

    public override string? Reject(OpCall call) => call.NeedsGradient && call.Size("D") > WidestRow
        ? $"rows of {call.Size("D")} numbers are wider than the {WidestRow} that its backward is written for"
        : null;

    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call)
    {
        var rates = new KernelArraySpec(Rates, call.Size("B"), call.Size("L"));
        return centre ? [rates, rates with { Name = Means }] : [rates];
    }

    public override bool ReadsOutput(string output) => output == "sum";

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var sizes = Sizes(call);
        var whole = new NormForward
        {
            Dim = sizes.Dim,
            Centre = centre,
            Epsilon = NormSizes.Epsilon(call.Options),
            X = arrays["x"].Float32,
            Residual = arrays["residual"].Float32,
            Weight = arrays["weight"].Float32,
            Bias = arrays["bias"].Float32,
            Y = arrays["y"].Float32,
            Sum = arrays["sum"].Float32,
            Means = arrays[Means].Float32,
            Rates = arrays[Rates].Float32,
        };
        WorkShare.For(sizes.Pieces, i => Simd.Run(whole.Piece(sizes.FirstRow(i), sizes.FirstRow(i + 1))));
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var sizes = Sizes(call);
        if (!arrays.Gradient("y").IsPresent)
        {
            OfSumAlone(arrays);
            return;
        }
        var whole = new NormBackward
        {
            Dim = sizes.Dim,
            Centre = centre,
            S = (call.Has("residual") ? arrays["sum"] : arrays["x"]).Float32,
            Weight = arrays["weight"].Float32,
            Means = arrays[Means].Float32,
            Rates = arrays[Rates].Float32,
            GradY = arrays.Gradient("y").Float32,
            GradSum = arrays.Gradient("sum").Float32,
            GradX = arrays.Gradient("x").Float32,
            GradResidual = arrays.Gradient("residual").Float32,
        };
        float* gradWeight = arrays.Gradient("weight").Float32, gradBias = arrays.Gradient("bias").Float32;
        var pieces = sizes.Pieces;
        // Each piece has its own part of the two small gradients; they are added in order afterwards.
        var parts = (float*)NativeMemory.Alloc((nuint)(2L * pieces * sizes.Dim), sizeof(float));
        try
        {
            WorkShare.For(pieces, i =>
            {
                var part = parts + 2L * i * sizes.Dim;
                Simd.Run(whole.Piece(
                    sizes.FirstRow(i), sizes.FirstRow(i + 1), gradWeight == null ? null : part, gradBias == null ? null : part + sizes.Dim));
            });
            Total(parts, pieces, sizes.Dim, gradWeight);
            Total(parts + sizes.Dim, pieces, sizes.Dim, gradBias);
        }
        finally
        {
            NativeMemory.Free(parts);
        }
    }

    private static NormSizes Sizes(OpCall call) => new(call.Size("B") * call.Size("L"), call.Count("D"));

    private static void Total(float* parts, int pieces, int dim, float* target)
    {
        if (target == null)
            return;
        for (var i = 0; i < dim; i++)
        {
            var total = 0f;
            for (var piece = 0; piece < pieces; piece++)
                total += parts[2L * piece * dim + i];
            target[i] = total;
        }
    }

    /// <summary>Nobody used y: x and the residual get the gradient of their sum, or none.</summary>
    private static void OfSumAlone(KernelArrays arrays)
    {
        foreach (var name in new[] { "weight", "bias" })
        {
            if (arrays.Gradient(name) is { IsPresent: true } small)
                small.Span.Clear();
        }
        foreach (var name in new[] { "x", "residual" })
        {
            if (arrays.Gradient(name) is not { IsPresent: true } target)
                continue;
            var bytes = target.Length * sizeof(float);
            if (arrays.Gradient("sum") is { IsPresent: true } given)
                Buffer.MemoryCopy(given.Float32, target.Float32, bytes, bytes);
            else
                NativeMemory.Clear(target.Float32, (nuint)bytes);
        }
    }
}
