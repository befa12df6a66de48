using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Both layers in C#, some rows at a time; hidden numbers lie in panels, as the products of backward want them. README.md beside this file has the plan.</summary>
internal sealed unsafe class GeluMlpCpu : OpKernel
{
    private const int RowsOfAPiece = 96;        // whole tiles of six
    private const string Activations = "activations";
    private const string Slopes = "slopes";

    public override string Backend => KernelChoice.Cpu;

    public override bool ReadsOutput(string output) => false;

    /// <summary>gelu and its derivative, [panel, row, column of the panel].</summary>
    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call)
    {
        var sizes = new GeluMlpSizes(call);
        long[] shape = [sizes.Padded / LinearSizes.PanelWidth, sizes.PanelRows, LinearSizes.PanelWidth];
        return [new(Activations, shape), new(Slopes, shape)];
    }

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var sizes = new GeluMlpSizes(call);
        var (rows, dim, hidden, outputs, padded) = (sizes.Rows, sizes.Dim, sizes.Hidden, sizes.Outputs, sizes.Padded);
        float* x = arrays["x"].Float32, y = arrays["y"].Float32, activations = arrays[Activations].Float32, slopes = arrays[Slopes].Float32;
        float* inBias = arrays["in_bias"].Float32, outBias = arrays["out_bias"].Float32;
        var (isKept, tanh) = (activations != null, Gelu.UsesTanh(call.Options));
        var paddedOutputs = LinearSizes.Padded(outputs);
        using var memory = new Scratch((long)padded * dim + (long)paddedOutputs * hidden + padded + paddedOutputs, parts: 4);
        float* inPanels = memory.Take((long)padded * dim), outPanels = memory.Take((long)paddedOutputs * hidden);
        float* inStart = LinearCpu.Starts(inBias, hidden, memory.Take(padded)), outStart = LinearCpu.Starts(outBias, outputs, memory.Take(paddedOutputs));
        using var ownActivations = new Scratch(isKept ? 0 : sizes.HiddenFloats);
        if (!isKept)
            activations = ownActivations.Start;
        MatrixProduct.PackTransposed(hidden, dim, arrays["in_weight"].Float32, dim, inPanels, LinearSizes.PanelWidth);
        MatrixProduct.PackTransposed(outputs, hidden, arrays["out_weight"].Float32, hidden, outPanels, LinearSizes.PanelWidth);
        WorkShare.For(LinearCpu.Pieces(rows, RowsOfAPiece), i =>
        {
            var (first, next) = (i * RowsOfAPiece, (i + WorkShare.Threads) * RowsOfAPiece);
            var offset = (long)first * LinearSizes.PanelWidth;
            Simd.Run(new GeluMlpForward
            {
                Rows = LinearCpu.Count(first, rows, RowsOfAPiece),
                Dim = dim,
                Padded = padded,
                Tanh = tanh,
                X = x + (long)first * dim,
                Panels = inPanels,
                Start = inStart,
                Activations = activations + offset,
                Slopes = isKept ? slopes + offset : null,
                Panel = sizes.Panel,
                Next = x + (long)next * dim,
                NextRows = LinearCpu.Count(next, rows, RowsOfAPiece),
            });
        });
        OfHidden(sizes, activations, outputs, outPanels, outStart, y);
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var gradY = arrays.Gradient("y");
        if (!gradY.IsPresent)
        {
            foreach (var argument in call.Op.Arguments)
            {
                if (arrays.Gradient(argument.Name) is { IsPresent: true } unreached)
                    unreached.Span.Clear();
            }
            return;
        }
        var sizes = new GeluMlpSizes(call);
        float* gradInWeight = arrays.Gradient("in_weight").Float32, gradOutWeight = arrays.Gradient("out_weight").Float32;
        float* gradInBias = arrays.Gradient("in_bias").Float32, gradOutBias = arrays.Gradient("out_bias").Float32;
        var gradX = arrays.Gradient("x").Float32;
        // In panels, each beside rows of ȳ or x, whose columns are fewer to copy.
        if (gradOutWeight != null)
            LinearCpu.Columns(sizes.Rows, sizes.Outputs, gradY.Float32, sizes.Hidden, arrays[Activations].Float32, sizes.PanelRows, gradOutWeight, isTransposed: false, gradOutBias);
        else if (gradOutBias != null)
            Simd.Run(new LinearSums(sizes.Rows, sizes.Outputs, gradY.Float32, gradOutBias));
        if (gradX == null && gradInWeight == null && gradInBias == null)
            return;
        using var memory = new Scratch(sizes.HiddenFloats);
        var gradHidden = memory.Start;
        Hidden(sizes, arrays, gradHidden, gradInBias);
        if (gradX != null)
            OfX(sizes, arrays["in_weight"].Float32, gradHidden, gradX);
        if (gradInWeight != null)
            LinearCpu.Columns(sizes.Rows, sizes.Dim, arrays["x"].Float32, sizes.Hidden, gradHidden, sizes.PanelRows, gradInWeight, isTransposed: true, null);
    }

    /// <summary>The gradients before GELU, and of b₁.</summary>
    private static void Hidden(GeluMlpSizes sizes, KernelArrays arrays, float* gradHidden, float* gradInBias)
    {
        var (rows, hidden, outputs, padded) = (sizes.Rows, sizes.Hidden, sizes.Outputs, sizes.Padded);
        float* gradY = arrays.Gradient("y").Float32, slopes = arrays[Slopes].Float32;
        var pieces = LinearCpu.Pieces(rows, RowsOfAPiece);
        long outFloats = (long)outputs * padded, sumFloats = gradInBias == null ? 0 : (long)pieces * padded;
        using var memory = new Scratch(outFloats + sumFloats, parts: 2);
        float* outPanels = memory.Take(outFloats), sums = gradInBias == null ? null : memory.Take(sumFloats);
        MatrixProduct.Pack(outputs, hidden, arrays["out_weight"].Float32, hidden, outPanels, LinearSizes.PanelWidth);
        WorkShare.For(pieces, i =>
        {
            var (first, next) = (i * RowsOfAPiece, (i + WorkShare.Threads) * RowsOfAPiece);
            var offset = (long)first * LinearSizes.PanelWidth;
            Simd.Run(new GeluMlpBackward
            {
                Rows = LinearCpu.Count(first, rows, RowsOfAPiece),
                Outputs = outputs,
                Padded = padded,
                GradY = gradY + (long)first * outputs,
                Panels = outPanels,
                Slopes = slopes + offset,
                GradHidden = gradHidden + offset,
                Panel = sizes.Panel,
                Sums = sums == null ? null : sums + (long)i * padded,
                Next = gradY + (long)next * outputs,
                NextRows = LinearCpu.Count(next, rows, RowsOfAPiece),
            });
        });
        if (gradInBias == null)
            return;
        new Span<float>(gradInBias, hidden).Clear();
        for (var i = 0; i < pieces; i++)            // in order, whoever reckoned which
        {
            for (var j = 0; j < hidden; j++)
                gradInBias[j] += sums[(long)i * padded + j];
        }
    }

    /// <summary>∂x from the gradients before GELU.</summary>
    private static void OfX(GeluMlpSizes sizes, float* weight, float* gradHidden, float* gradX)
    {
        using var memory = new Scratch((long)sizes.Hidden * LinearSizes.Padded(sizes.Dim));
        var panels = memory.Start;
        MatrixProduct.Pack(sizes.Hidden, sizes.Dim, weight, sizes.Dim, panels, LinearSizes.PanelWidth);
        OfHidden(sizes, gradHidden, sizes.Dim, panels, null, gradX);
    }

    /// <summary>The product of hidden numbers, or of their gradients, which lie in panels.</summary>
    private static void OfHidden(GeluMlpSizes sizes, float* values, int columns, float* panels, float* start, float* target)
    {
        var (rows, width) = (sizes.Rows, LinearSizes.PanelWidth);
        WorkShare.For(LinearCpu.Pieces(rows, RowsOfAPiece), i =>
        {
            var (first, next) = (i * RowsOfAPiece, (i + WorkShare.Threads) * RowsOfAPiece);
            Simd.Run(new LinearRows
            {
                Rows = LinearCpu.Count(first, rows, RowsOfAPiece),
                Columns = columns,
                Steps = sizes.Hidden,
                A = values + (long)first * width,
                APanel = sizes.Panel,
                Panels = panels,
                C = target + (long)first * columns,
                Start = start,
                Next = values + (long)next * width,
                NextRows = LinearCpu.Count(next, rows, RowsOfAPiece),
            });
        });
    }
}
