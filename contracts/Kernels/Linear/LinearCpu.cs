using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>
/// Layers' products in C#: the matrix is laid out in panels, and rows of x are read where they lie. README.md beside this file has the plan.
/// </summary>
internal sealed unsafe class LinearCpu : OpKernel
{
    private const int RowsOfAPiece = 96;        // whole tiles of six
    private const int RowsOfAPacking = 64;
    private const int MostPackedWeights = 1 << 18;      // a matrix that the second or third cache holds beside the rows
    private const int MostStripRows = 1024;
    private const int MostStripFloats = 1 << 20;        // of the third cache
    private const int ColumnsOfAPiece = 96;             // whole panels

    public override string Backend => KernelChoice.Cpu;

    public override bool ReadsOutput(string output) => false;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var sizes = new LinearSizes(call);
        var (rows, dim, width, parts) = (sizes.Rows, sizes.Dim, sizes.Width, sizes.Parts);
        if ((long)parts * width * dim > MostPackedWeights)
        {
            ByPanel(call, arrays, sizes);
            return;
        }
        var padded = LinearSizes.Padded(width);
        float* x = arrays["x"].Float32, weight = arrays["weight"].Float32, bias = arrays["bias"].Float32;
        using var memory = new Scratch((long)parts * padded * (dim + 1));
        var panels = memory.Start;
        var starts = bias == null ? null : panels + (long)parts * padded * dim;
        var outputs = stackalloc nint[parts];
        for (var part = 0; part < parts; part++)
        {
            MatrixProduct.PackTransposed(width, dim, weight + (long)part * width * dim, dim, panels + (long)part * padded * dim, LinearSizes.PanelWidth);
            outputs[part] = arrays[call.Op.Outputs[part]].Pointer;
            if (bias != null)
                Starts(bias + (long)part * width, width, starts + (long)part * padded);
        }
        var targets = (nint)outputs;
        WorkShare.For(Pieces(rows, RowsOfAPiece), i =>
        {
            var first = i * RowsOfAPiece;
            var next = Following(i);
            for (var part = 0; part < parts; part++)
            {
                Simd.Run(new LinearRows
                {
                    Rows = RowsFrom(first, rows),
                    Columns = width,
                    Steps = dim,
                    A = x + (long)first * dim,
                    Panels = panels + (long)part * padded * dim,
                    C = (float*)((nint*)targets)[part] + (long)first * width,
                    Start = starts == null ? null : starts + (long)part * padded,
                    Next = x + (long)next * dim,
                    NextRows = part == parts - 1 ? RowsFrom(next, rows) : 0,
                });
            }
        });
    }

    /// <summary>The forward of a large matrix: many rows are laid out instead of it, and each panel of it is laid out where it is multiplied.</summary>
    private static void ByPanel(OpCall call, KernelArrays arrays, LinearSizes sizes)
    {
        var (rows, dim, width, parts) = (sizes.Rows, sizes.Dim, sizes.Width, sizes.Parts);
        float* x = arrays["x"].Float32, weight = arrays["weight"].Float32, bias = arrays["bias"].Float32;
        var most = Math.Clamp(MostStripFloats / Math.Max(1, dim), RowsOfAPiece, MostStripRows);
        var blockRows = (rows + Pieces(rows, most) - 1) / Math.Max(1, Pieces(rows, most));
        blockRows = (blockRows + MatrixProduct.TileRows - 1) / MatrixProduct.TileRows * MatrixProduct.TileRows;
        var padded = LinearSizes.Padded(width);
        using var memory = new Scratch((long)blockRows * dim + (long)parts * padded);
        var strips = memory.Start;
        var starts = bias == null ? null : strips + (long)blockRows * dim;
        var outputs = stackalloc nint[parts];
        for (var part = 0; part < parts; part++)
        {
            outputs[part] = arrays[call.Op.Outputs[part]].Pointer;
            if (bias != null)
                Starts(bias + (long)part * width, width, starts + (long)part * padded);
        }
        var targets = (nint)outputs;
        var pieces = Pieces(width, ColumnsOfAPiece);
        for (var first = 0; first < rows; first += blockRows)
        {
            var (row, count) = (first, Count(first, rows, blockRows));
            WorkShare.For(Pieces(count, RowsOfAPiece), i =>
            {
                var from = i * RowsOfAPiece;
                MatrixProduct.PackStrips(Count(from, count, RowsOfAPiece), dim, x + (long)(row + from) * dim, dim, strips + (long)from * dim);
            });
            WorkShare.For(parts * pieces, i =>
            {
                var next = i + WorkShare.Threads;
                Simd.Run(new LinearByPanel
                {
                    Rows = count,
                    Columns = Count(Column(i), width, ColumnsOfAPiece),
                    Steps = dim,
                    Strips = strips,
                    Weight = Weight(i),
                    C = (float*)((nint*)targets)[i / pieces] + (long)row * width + Column(i),
                    CRow = width,
                    Start = starts == null ? null : starts + (long)(i / pieces) * padded + Column(i),
                    Next = next < parts * pieces ? Weight(next) : null,
                });
            });
        }

        int Column(int piece) => piece % pieces * ColumnsOfAPiece;

        float* Weight(int piece) => weight + ((long)(piece / pieces) * width + Column(piece)) * dim;
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var sizes = new LinearSizes(call);
        var grads = new nint[sizes.Parts];
        for (var part = 0; part < grads.Length; part++)
            grads[part] = arrays.Gradient(call.Op.Outputs[part]).Pointer;
        if (arrays.Gradient("x") is { IsPresent: true } gradX)
            OfRows(sizes, grads, arrays["weight"].Float32, gradX.Float32);
        float* gradWeight = arrays.Gradient("weight").Float32, gradBias = arrays.Gradient("bias").Float32;
        if (gradWeight != null)
            OfMatrix(sizes, grads, arrays["x"].Float32, gradWeight, gradBias);
        else if (gradBias != null)
            OfBias(sizes, grads, gradBias);
    }

    /// <summary>∂x = Σ_parts ȳ W.</summary>
    private static void OfRows(LinearSizes sizes, nint[] grads, float* weight, float* gradX)
    {
        var (rows, dim, width) = (sizes.Rows, sizes.Dim, sizes.Width);
        var padded = LinearSizes.Padded(dim);
        using var memory = new Scratch((long)sizes.Parts * width * padded);
        var panels = memory.Start;
        for (var part = 0; part < sizes.Parts; part++)
            MatrixProduct.Pack(width, dim, weight + (long)part * width * dim, dim, panels + (long)part * width * padded, LinearSizes.PanelWidth);
        var given = Enumerable.Range(0, grads.Length).Where(part => grads[part] != 0).ToArray();
        WorkShare.For(Pieces(rows, RowsOfAPiece), i =>
        {
            var first = i * RowsOfAPiece;
            var count = RowsFrom(first, rows);
            var target = gradX + (long)first * dim;
            for (var k = 0; k < given.Length; k++)
            {
                var part = given[k];
                var (nextPart, next) = k + 1 < given.Length ? (given[k + 1], first) : (given[0], Following(i));
                Simd.Run(new LinearRows
                {
                    Rows = count,
                    Columns = dim,
                    Steps = width,
                    A = (float*)grads[part] + (long)first * width,
                    Panels = panels + (long)part * width * padded,
                    C = target,
                    Add = k > 0,
                    Next = (float*)grads[nextPart] + (long)next * width,
                    NextRows = RowsFrom(next, rows),
                });
            }
            if (given.Length == 0)
                new Span<float>(target, count * dim).Clear();
        });
    }

    /// <summary>∂W = ȳᵀ x and ∂b = Σ ȳ, the narrower factor in panels.</summary>
    private static void OfMatrix(LinearSizes sizes, nint[] grads, float* x, float* gradWeight, float* gradBias)
    {
        var (rows, dim, width) = (sizes.Rows, sizes.Dim, sizes.Width);
        var byInput = dim <= width;         // x in panels
        using var memory = new Scratch((long)rows * LinearSizes.Padded(byInput ? dim : width));
        var panels = memory.Start;
        if (byInput)
            Pack(rows, dim, x, panels);
        for (var part = 0; part < sizes.Parts; part++)
        {
            var grad = (float*)grads[part];
            var target = gradWeight + (long)part * width * dim;
            var sums = gradBias == null ? null : gradBias + (long)part * width;
            if (grad == null)
            {
                new Span<float>(target, width * dim).Clear();
                new Span<float>(sums, sums == null ? 0 : width).Clear();
                continue;
            }
            if (!byInput)
            {
                Pack(rows, width, grad, panels);
                if (sums != null)
                    Simd.Run(new LinearSums(rows, width, grad, sums));
            }
            if (byInput)
                Columns(rows, width, grad, dim, panels, rows, target, isTransposed: false, sums);
            else
                Columns(rows, dim, x, width, panels, rows, target, isTransposed: true, null);
        }
    }

    /// <summary>c = aᵀ b, or bᵀ a where it is to be transposed, for b in panels of all rows; and the sums of a's columns.</summary>
    internal static void Columns(int rows, int count, float* a, int columns, float* panels, int panelRows, float* c, bool isTransposed, float* sums)
    {
        var whole = new LinearColumns
        {
            Rows = rows,
            Columns = columns,
            A = a,
            ARow = count,
            Panels = panels,
            PanelRows = panelRows,
            C = c,
            CRow = isTransposed ? count : columns,
            IsTransposed = isTransposed,
            Sums = sums,
        };
        var piece = LinearColumns.OfAPiece(count);
        WorkShare.For(Pieces(count, piece), i =>
        {
            var (first, next) = (i * piece, (i + WorkShare.Threads) * piece);
            Simd.Run(whole with { First = first, Count = Math.Min(piece, count - first), NextFirst = next, NextCount = Count(next, count, piece) });
        });
    }

    private static void OfBias(LinearSizes sizes, nint[] grads, float* gradBias)
    {
        for (var part = 0; part < grads.Length; part++)
        {
            var target = gradBias + (long)part * sizes.Width;
            if (grads[part] == 0)
                new Span<float>(target, sizes.Width).Clear();
            else
                Simd.Run(new LinearSums(sizes.Rows, sizes.Width, (float*)grads[part], target));
        }
    }

    /// <summary>Rows in panels of all rows.</summary>
    private static void Pack(int rows, int columns, float* source, float* panels) =>
        WorkShare.For(Pieces(rows, RowsOfAPacking), i =>
        {
            var first = i * RowsOfAPacking;
            Simd.Run(new LinearPacking(rows, first, Math.Min(RowsOfAPacking, rows - first), columns, source, panels));
        });

    /// <summary>What sums begin with: the bias up to whole panels, in <paramref name="starts"/>; null where there is none.</summary>
    internal static float* Starts(float* bias, int count, float* starts)
    {
        if (bias == null)
            return null;
        new Span<float>(bias, count).CopyTo(new Span<float>(starts, count));
        new Span<float>(starts + count, LinearSizes.Padded(count) - count).Clear();
        return starts;
    }

    /// <summary>The first row of the piece that a thread most likely takes after this one.</summary>
    private static int Following(int piece) => (piece + WorkShare.Threads) * RowsOfAPiece;

    /// <summary>How many rows a piece has.</summary>
    private static int RowsFrom(int first, int rows) => Count(first, rows, RowsOfAPiece);

    /// <summary>How many of all the piece that begins at <paramref name="first"/> has.</summary>
    internal static int Count(int first, int all, int piece) => Math.Clamp(all - first, 0, piece);

    internal static int Pieces(int count, int size) => (count + size - 1) / size;
}
