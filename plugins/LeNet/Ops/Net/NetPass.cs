using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Zoo.Kernels.Cpu;
using static Zoo.LeNet.Ops.Net.NetLayout;
using static Zoo.LeNet.Ops.Net.NetWorkspace;

namespace Zoo.LeNet.Ops.Net;

/// <summary>The whole net forward and backward for one image, in one workspace that stays in the nearest cache.</summary>
/// <typeparam name="V">The vector width.</typeparam>
internal static unsafe class NetPass<V>
    where V : struct, ILanes<V>
{
    /// <summary>From an image to the outputs in <see cref="NetWorkspace.Scores"/>; activations stay for <see cref="Backward"/>.</summary>
    /// <param name="w">Scratch; <see cref="NetWorkspace.Kept"/> holds the dropout factors when <paramref name="dropout"/> is set.</param>
    /// <param name="p">Parameters in <see cref="NetLayout"/>.</param>
    /// <param name="image">[16, 16].</param>
    /// <param name="down">Rows the image is moved down, with <paramref name="right"/> columns to the right.</param>
    /// <param name="wrap">Whether what leaves comes in again opposite, instead of -1.</param>
    /// <param name="form">Which net.</param>
    public static void Forward(NetWorkspace w, float* p, float* image, int down, int right, bool wrap, bool dropout, NetForm form)
    {
        PadImage(w.Padded, image, down, right, wrap);
        Columns(w.Padded, PaddedImageSide, H1Side, w.ImageColumns, w.Split);
        SmallProduct.Run<V>(w.H1, H1Units, p + H1Weights, Taps, 1, w.ImageColumns, H1Units, Planes, Taps, H1Units, add: false);
        Activate(w.H1, p + H1Biases, w.H1, H1All, form.Relu);

        for (var plane = 0; plane < Planes; plane++)
        {
            var padded = w.H1Padded + plane * PaddedH1;
            PadPlane(padded, w.H1 + plane * H1Units, form.HiddenBorder);
            Columns(padded, PaddedH1Side, H2Side, w.H1Columns + plane * Taps * H2Units, w.Split);
        }
        for (var half = 0; half < SeenFrom.Length; half++)
        {
            var (row, seen) = (half / 2 * 4, half % 2 * 4);
            SmallProduct.Run<V>(
                w.H2 + row * H2Units, H2Units,
                p + H2Weights + (row * SeenPlanes + seen) * Taps, SeenPlanes * Taps, 1,
                w.H1Columns + SeenFrom[half] * Taps * H2Units, H2Units,
                rows: 4, depth: 4 * Taps, columns: H2Units, add: half % 2 == 1);
        }
        Activate(w.H2, p + H2Biases, w.H2, H2All, form.Relu);

        var factors = dropout ? w.Kept : null;
        for (var j = 0; j < H3All; j++)
            w.H3[j] = Dot(w.H2, p + H3Weights + j * H2All, factors, H2All);
        Activate(w.H3, p + H3Biases, w.H3, H3Padded, form.Relu);
        w.H3[H3All] = w.H3[H3All + 1] = 0;
        for (var k = 0; k < Outputs; k++)
            w.Scores[k] = Dot(w.H3, p + OutputWeights + k * H3Padded, null, H3Padded) + p[OutputBiases + k];
        if (form.TanhOutputs)
        {
            for (var i = 0; i < OutputsPadded; i += V.Count)
                VectorMath.Tanh(V.Load(w.Scores + i)).Store(w.Scores + i);
        }
    }

    /// <summary>From the gradient of the outputs in <see cref="NetWorkspace.ScoreGradient"/> back to the parameters, and on to the image if wanted.</summary>
    /// <param name="g">Gradients in <see cref="NetLayout"/>; added to when <paramref name="add"/> is set, else overwritten.</param>
    /// <param name="imageGradient">[16, 16], of the image as <see cref="Forward"/> saw it after moving; null when not wanted.</param>
    public static void Backward(NetWorkspace w, float* p, float* g, bool dropout, bool add, NetForm form, float* imageGradient)
    {
        // Outputs: through tanh, then to weights, biases and H3.
        if (form.TanhOutputs)
        {
            for (var k = 0; k < Outputs; k++)
                w.ScoreGradient[k] *= 1 - w.Scores[k] * w.Scores[k];
        }
        new Span<float>(w.H3Gradient, H3Padded).Clear();
        for (var k = 0; k < Outputs; k++)
        {
            var gradient = w.ScoreGradient[k];
            Accumulate(w.H3Gradient, gradient, p + OutputWeights + k * H3Padded, H3Padded);
            Put(g + OutputWeights + k * H3Padded, gradient, w.H3, H3Padded, add);
        }
        Put(g + OutputBiases, 1, w.ScoreGradient, OutputsPadded, add);

        ThroughActivation(w.H3Gradient, w.H3, H3Padded, form.Relu);
        w.H3Gradient[H3All] = w.H3Gradient[H3All + 1] = 0;
        var features = w.H2;
        if (dropout)
        {
            // H2 itself is needed for its derivative; what H3 saw goes where the columns' gradient will be.
            features = w.H1ColumnGradient;
            for (var i = 0; i < H2All; i += V.Count)
                (V.Load(w.H2 + i) * V.Load(w.Kept + i)).Store(features + i);
        }
        new Span<float>(w.H2Gradient, H2All).Clear();
        for (var j = 0; j < H3All; j++)
        {
            var gradient = w.H3Gradient[j];
            Accumulate(w.H2Gradient, gradient, p + H3Weights + j * H2All, H2All);
            Put(g + H3Weights + j * H2All, gradient, features, H2All, add);
        }
        Put(g + H3Biases, 1, w.H3Gradient, H3Padded, add);
        if (dropout)
        {
            for (var i = 0; i < H2All; i += V.Count)
                (V.Load(w.H2Gradient + i) * V.Load(w.Kept + i)).Store(w.H2Gradient + i);
        }
        ThroughActivation(w.H2Gradient, w.H2, H2All, form.Relu);
        Put(g + H2Biases, 1, w.H2Gradient, H2All, add);

        // H2's shared weights, and the columns of H1: a plane is seen by two groups of the three.
        for (var plane = 0; plane < Planes; plane++)
            Rows(w.H1Padded + plane * PaddedH1, PaddedH1Side, H2Side, w.H1Rows + plane * PaddedTaps, Planes * PaddedTaps);
        new Span<float>(w.H1ColumnGradient, Planes * Taps * H2Units).Clear();
        for (var half = 0; half < SeenFrom.Length; half++)
        {
            var (row, seen) = (half / 2 * 4, half % 2 * 4);
            SmallProduct.Run<V>(
                w.H2WeightGradient + (row * SeenPlanes + seen) * PaddedTaps, SeenPlanes * PaddedTaps,
                w.H2Gradient + row * H2Units, H2Units, 1,
                w.H1Rows + SeenFrom[half] * PaddedTaps, Planes * PaddedTaps,
                rows: 4, depth: H2Units, columns: 4 * PaddedTaps, add: false);
            SmallProduct.Run<V>(
                w.H1ColumnGradient + SeenFrom[half] * Taps * H2Units, H2Units,
                p + H2Weights + (row * SeenPlanes + seen) * Taps, 1, SeenPlanes * Taps,
                w.H2Gradient + row * H2Units, H2Units,
                rows: 4 * Taps, depth: 4, columns: H2Units, add: true);
        }
        PutTaps(g + H2Weights, w.H2WeightGradient, Planes * SeenPlanes, add);

        for (var plane = 0; plane < Planes; plane++)
        {
            var padded = w.H1PaddedGradient + plane * PaddedH1;
            FromColumns(w.H1ColumnGradient + plane * Taps * H2Units, H2Side, padded, PaddedH1Side, w.Split);
            for (var y = 0; y < H1Side; y++)
                Copy(padded + (y + Border) * PaddedH1Side + Border, w.H1Gradient + plane * H1Units + y * H1Side, H1Side);
        }
        ThroughActivation(w.H1Gradient, w.H1, H1All, form.Relu);
        Put(g + H1Biases, 1, w.H1Gradient, H1All, add);

        Rows(w.Padded, PaddedImageSide, H1Side, w.ImageRows, PaddedTaps);
        SmallProduct.Run<V>(w.H1WeightGradient, PaddedTaps, w.H1Gradient, H1Units, 1, w.ImageRows, PaddedTaps, Planes, H1Units, PaddedTaps, add: false);
        PutTaps(g + H1Weights, w.H1WeightGradient, Planes, add);

        if (imageGradient == null)
            return;
        new Span<float>(w.ImageColumnGradient, Taps * H1Units).Clear();
        for (var tap = 0; tap < Taps; tap++)
        {
            for (var plane = 0; plane < Planes; plane++)
                Accumulate(w.ImageColumnGradient + tap * H1Units, p[H1Weights + plane * Taps + tap], w.H1Gradient + plane * H1Units, H1Units);
        }
        FromColumns(w.ImageColumnGradient, H1Side, w.PaddedGradient, PaddedImageSide, w.Split);
        for (var y = 0; y < ImageSide; y++)
            Copy(w.PaddedGradient + (y + Border) * PaddedImageSide + Border, imageGradient + y * ImageSide, ImageSide);
    }

    private static void PadImage(float* padded, float* image, int down, int right, bool wrap)
    {
        new Span<float>(padded, PaddedImage).Fill(-1);
        for (var y = 0; y < ImageSide; y++)
        {
            var from = y - down;
            if (wrap)
                from = (from + ImageSide) % ImageSide;
            else if (from is < 0 or >= ImageSide)
                continue;
            var source = image + from * ImageSide;
            var target = padded + (y + Border) * PaddedImageSide + Border;
            if (right == 0)
            {
                Copy(source, target, ImageSide);
                continue;
            }
            for (var x = 0; x < ImageSide; x++)
            {
                var column = x - right;
                if (wrap)
                    column = (column + ImageSide) % ImageSide;
                if (column is >= 0 and < ImageSide)
                    target[x] = source[column];
            }
        }
    }

    private static void PadPlane(float* padded, float* plane, float border)
    {
        new Span<float>(padded, PaddedH1).Fill(border);
        for (var y = 0; y < H1Side; y++)
            Copy(plane + y * H1Side, padded + (y + Border) * PaddedH1Side + Border, H1Side);
    }

    /// <summary>[tap, unit]: for each of the 25 taps, what every unit sees there; units are two apart.</summary>
    /// <param name="split">Room for the plane's rows with even columns first, then odd ones: a tap's units then lie side by side.</param>
    private static void Columns(float* padded, int paddedSide, int side, float* columns, float* split)
    {
        var half = paddedSide / 2;
        for (int row = 0, at = 0; row < paddedSide * half; row++, at += 2)
            (split[row], split[row + paddedSide * half]) = (padded[at], padded[at + 1]);
        for (var ky = 0; ky < 5; ky++)
        {
            for (var kx = 0; kx < 5; kx++, columns += side * side)
            {
                var source = split + kx % 2 * paddedSide * half + ky * half + kx / 2;
                for (var y = 0; y < side; y++, source += 2 * half)
                    CopyUnits(source, columns + y * side, side);
            }
        }
    }

    /// <summary>[unit, tap]: for each unit, the 25 values it sees; units are <paramref name="stride"/> floats apart.</summary>
    private static void Rows(float* padded, int paddedSide, int side, float* rows, int stride)
    {
        for (var y = 0; y < side; y++)
        {
            for (var x = 0; x < side; x++, rows += stride)
            {
                // Eight at a time: three too many each, which the next row of taps, or the padding, takes.
                var source = padded + 2 * y * paddedSide + 2 * x;
                Vector256.Load(source).Store(rows);
                Vector256.Load(source + paddedSide).Store(rows + 5);
                Vector256.Load(source + 2 * paddedSide).Store(rows + 10);
                Vector256.Load(source + 3 * paddedSide).Store(rows + 15);
                Vector256.Load(source + 4 * paddedSide).Store(rows + 20);
            }
        }
    }

    /// <summary>The transpose of <see cref="Columns"/>: adds every tap's gradient to where its value came from.</summary>
    private static void FromColumns(float* columns, int side, float* padded, int paddedSide, float* split)
    {
        var half = paddedSide / 2;
        new Span<float>(split, paddedSide * paddedSide).Clear();
        for (var ky = 0; ky < 5; ky++)
        {
            for (var kx = 0; kx < 5; kx++, columns += side * side)
            {
                var target = split + kx % 2 * paddedSide * half + ky * half + kx / 2;
                for (var y = 0; y < side; y++, target += 2 * half)
                    AddUnits(columns + y * side, target, side);
            }
        }
        for (int row = 0, at = 0; row < paddedSide * half; row++, at += 2)
            (padded[at], padded[at + 1]) = (split[row], split[row + paddedSide * half]);
    }

    /// <summary>Four or eight values: a row of H2's units, or of H1's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyUnits(float* source, float* target, int side)
    {
        if (side == H2Side)
            Vector128.Load(source).Store(target);
        else
            Vector256.Load(source).Store(target);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddUnits(float* source, float* target, int side)
    {
        if (side == H2Side)
            (Vector128.Load(target) + Vector128.Load(source)).Store(target);
        else
            (Vector256.Load(target) + Vector256.Load(source)).Store(target);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy(float* source, float* target, int count)
    {
        for (var i = 0; i < count; i++)
            target[i] = source[i];
    }

    /// <summary>y = activation(x + bias).</summary>
    private static void Activate(float* x, float* bias, float* y, int count, bool relu)
    {
        if (relu)
        {
            for (var i = 0; i < count; i += V.Count)
                V.Max(V.Load(x + i) + V.Load(bias + i), V.Zero).Store(y + i);
            return;
        }
        for (var i = 0; i < count; i += V.Count)
            VectorMath.Tanh(V.Load(x + i) + V.Load(bias + i)).Store(y + i);
    }

    /// <summary>gradient ⊙ activation'(x), from the activation's value y alone.</summary>
    private static void ThroughActivation(float* gradient, float* y, int count, bool relu)
    {
        for (var i = 0; i < count; i += V.Count)
        {
            var (value, slope) = (V.Load(y + i), V.Create(1));
            slope = relu ? V.WhereGreater(value, V.Zero, slope, V.Zero) : slope - value * value;
            (V.Load(gradient + i) * slope).Store(gradient + i);
        }
    }

    private static float Dot(float* a, float* b, float* factors, int count)
    {
        V s = V.Zero, t = V.Zero;
        for (var i = 0; i < count; i += 2 * V.Count)
        {
            var (left, right) = (V.Load(a + i), V.Load(a + i + V.Count));
            if (factors != null)
                (left, right) = (left * V.Load(factors + i), right * V.Load(factors + i + V.Count));
            s = V.MultiplyAdd(left, V.Load(b + i), s);
            t = V.MultiplyAdd(right, V.Load(b + i + V.Count), t);
        }
        return V.Sum(s + t);
    }

    /// <summary>y += factor · x.</summary>
    private static void Accumulate(float* y, float factor, float* x, int count)
    {
        var f = V.Create(factor);
        for (var i = 0; i < count; i += V.Count)
            V.MultiplyAdd(f, V.Load(x + i), V.Load(y + i)).Store(y + i);
    }

    /// <summary>y = factor · x, or y + factor · x.</summary>
    private static void Put(float* y, float factor, float* x, int count, bool add)
    {
        if (add)
        {
            Accumulate(y, factor, x, count);
            return;
        }
        var f = V.Create(factor);
        for (var i = 0; i < count; i += V.Count)
            (f * V.Load(x + i)).Store(y + i);
    }

    /// <summary>Rows of 32 taps to rows of 25. Vectors run into the next row, which is written after.</summary>
    private static void PutTaps(float* target, float* padded, int rows, bool add)
    {
        for (var row = 0; row < rows; row++, target += Taps, padded += PaddedTaps)
        {
            if (add)
            {
                for (var i = 0; i < Taps; i++)
                    target[i] += padded[i];
                continue;
            }
            if (row == rows - 1)
            {
                Copy(padded, target, Taps);
                continue;
            }
            for (var i = 0; i < Taps; i += V.Count)
                V.Load(padded + i).Store(target + i);
        }
    }
}
