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
        ImageColumns(w.Padded, w.ImageColumns, w.Split);
        SmallProduct.Run<V>(w.H1, H1Units, p + H1Weights, Taps, 1, w.ImageColumns, H1Units, Planes, Taps, H1Units, add: false);
        Activate(w.H1, p + H1Biases, w.H1, H1All, form.Relu);

        if (w.HiddenBorder != form.HiddenBorder)
            w.SetHiddenBorder(form.HiddenBorder);
        for (var plane = 0; plane < Planes; plane++)
        {
            var split = w.H1Split + plane * PaddedH1;
            Place(w.H1 + plane * H1Units, w.H1Padded + plane * PaddedH1, split);
            H2Columns(split, w.H1Columns + plane * Taps * H2Units);
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
        ThroughH3(w.H2Gradient, p + H3Weights, g + H3Weights, w.H3Gradient, features, add);
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
        for (var half = 0; half < SeenFrom.Length; half++)
        {
            var (row, seen) = (half / 2 * 4, half % 2 * 4);
            SmallProduct.Run<V>(
                w.H2WeightGradient + (row * SeenPlanes + seen) * PaddedTaps, SeenPlanes * PaddedTaps,
                w.H2Gradient + row * H2Units, H2Units, 1,
                w.H1Rows + SeenFrom[half] * PaddedTaps, Planes * PaddedTaps,
                rows: 4, depth: H2Units, columns: 4 * PaddedTaps, add: false);
            ThroughWeights(
                w.H1ColumnGradient + SeenFrom[half] * Taps * H2Units, p + H2Weights + (row * SeenPlanes + seen) * Taps, w.H2Gradient + row * H2Units,
                add: half is 2 or 4 or 5);   // the second of the two groups that see these planes
        }
        PutTaps(g + H2Weights, w.H2WeightGradient, Planes * SeenPlanes, add);

        for (var plane = 0; plane < Planes; plane++)
            FromH2Columns(w.H1ColumnGradient + plane * Taps * H2Units, w.H1Gradient + plane * H1Units);
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
        FromImageColumns(w.ImageColumnGradient, w.PaddedGradient, w.Split);
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
                Vector256.Load(source).Store(target);
                Vector256.Load(source + 8).Store(target + 8);
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

    /// <summary>H1's plane into its padded form, and into the one with even and odd columns apart. Borders are there already.</summary>
    private static void Place(float* plane, float* padded, float* split)
    {
        var apart = Vector256.Create(0, 2, 4, 6, 1, 3, 5, 7);
        padded += Border * PaddedH1Side + Border;
        var even = split + Border * HalfH1Side + Border / 2;
        var odd = even + PaddedH1Side * HalfH1Side;
        for (var y = 0; y < H1Side; y++, plane += H1Side, padded += PaddedH1Side, even += HalfH1Side, odd += HalfH1Side)
        {
            var row = Vector256.Load(plane);
            row.Store(padded);
            row = Vector256.Shuffle(row, apart);
            row.GetLower().Store(even);
            row.GetUpper().Store(odd);
        }
    }

    /// <summary>[tap, unit]: for each of the 25 taps, what every unit of H1 sees there; units are two apart.</summary>
    /// <param name="split">Room for the image's rows with even columns first, then odd ones: a tap's units then lie side by side.</param>
    private static void ImageColumns(float* padded, float* columns, float* split)
    {
        const int half = PaddedImageSide / 2;
        for (int i = 0, at = 0; i < PaddedImageSide * half; i++, at += 2)
            (split[i], split[i + PaddedImageSide * half]) = (padded[at], padded[at + 1]);
        for (var ky = 0; ky < 5; ky++)
        {
            for (var kx = 0; kx < 5; kx++, columns += H1Units)
            {
                var source = split + kx % 2 * PaddedImageSide * half + ky * half + kx / 2;
                for (var y = 0; y < H1Side; y++)
                    Vector256.Load(source + 2 * half * y).Store(columns + H1Side * y);
            }
        }
    }

    /// <summary>The same for H2's units, from a plane of H1 that is split already.</summary>
    private static void H2Columns(float* split, float* columns)
    {
        const int rows = 2 * HalfH1Side;
        for (var ky = 0; ky < 5; ky++)
        {
            for (var kx = 0; kx < 5; kx++, columns += H2Units)
            {
                var source = split + kx % 2 * PaddedH1Side * HalfH1Side + ky * HalfH1Side + kx / 2;
                Vector128.Load(source).Store(columns);
                Vector128.Load(source + rows).Store(columns + 4);
                Vector128.Load(source + 2 * rows).Store(columns + 8);
                Vector128.Load(source + 3 * rows).Store(columns + 12);
            }
        }
    }

    /// <summary>Back through H3: W^T d for H2's units, and d h^T for the weights, a block of units in registers at a time.</summary>
    /// <param name="h2Gradient">[192].</param>
    /// <param name="weights">[30, 192].</param>
    /// <param name="weightGradient">[30, 192].</param>
    /// <param name="h3Gradient">[30].</param>
    /// <param name="features">What H3 saw, [192].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ThroughH3(float* h2Gradient, float* weights, float* weightGradient, float* h3Gradient, float* features, bool add)
    {
        for (var i = 0; i < H2All; i += 4 * V.Count)
        {
            int i1 = i + V.Count, i2 = i1 + V.Count, i3 = i2 + V.Count;
            V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
            V f0 = V.Load(features + i), f1 = V.Load(features + i1), f2 = V.Load(features + i2), f3 = V.Load(features + i3);
            for (int j = 0, row = 0; j < H3All; j++, row += H2All)
            {
                var d = V.Create(h3Gradient[j]);
                s0 = V.MultiplyAdd(d, V.Load(weights + row + i), s0);
                s1 = V.MultiplyAdd(d, V.Load(weights + row + i1), s1);
                s2 = V.MultiplyAdd(d, V.Load(weights + row + i2), s2);
                s3 = V.MultiplyAdd(d, V.Load(weights + row + i3), s3);
                V g0 = d * f0, g1 = d * f1, g2 = d * f2, g3 = d * f3;
                if (add)
                {
                    g0 += V.Load(weightGradient + row + i);
                    g1 += V.Load(weightGradient + row + i1);
                    g2 += V.Load(weightGradient + row + i2);
                    g3 += V.Load(weightGradient + row + i3);
                }
                g0.Store(weightGradient + row + i);
                g1.Store(weightGradient + row + i1);
                g2.Store(weightGradient + row + i2);
                g3.Store(weightGradient + row + i3);
            }
            s0.Store(h2Gradient + i);
            s1.Store(h2Gradient + i1);
            s2.Store(h2Gradient + i2);
            s3.Store(h2Gradient + i3);
        }
    }

    /// <summary>What four units' gradients make of the columns of four planes: W^T d, a row of 16 units at a time.</summary>
    /// <param name="columns">[plane 4 x tap 25, unit 16].</param>
    /// <param name="weights">[unit plane 4, seen plane 8, tap 25], from the first seen plane on.</param>
    /// <param name="gradient">[unit plane 4, unit 16].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ThroughWeights(float* columns, float* weights, float* gradient, bool add)
    {
        const int stride = SeenPlanes * Taps;
        for (var i = 0; i < H2Units; i += V.Count)
        {
            V d0 = V.Load(gradient + i), d1 = V.Load(gradient + H2Units + i);
            V d2 = V.Load(gradient + 2 * H2Units + i), d3 = V.Load(gradient + 3 * H2Units + i);
            var target = columns + i;
            for (var row = 0; row < 4 * Taps; row++, target += H2Units)
            {
                var low = V.Create(weights[row]) * d0;
                if (add)
                    low += V.Load(target);
                var high = V.Create(weights[row + 2 * stride]) * d2;
                low = V.MultiplyAdd(V.Create(weights[row + stride]), d1, low);
                high = V.MultiplyAdd(V.Create(weights[row + 3 * stride]), d3, high);
                (low + high).Store(target);
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

    /// <summary>
    /// The transpose of <see cref="H2Columns"/> and <see cref="Place"/>: every tap's gradient back to H1's unit it came from; what came from the
    /// border is dropped.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FromH2Columns(float* columns, float* gradient)
    {
        var together = Vector256.Create(0, 4, 1, 5, 2, 6, 3, 7);
        for (var y = 0; y < H1Side; y++, gradient += H1Side)
        {
            // Taps of one column parity meet in the same units; a tap two further reaches them one unit earlier.
            Vector128<float> tap0 = default, tap1 = default, tap2 = default, tap3 = default, tap4 = default;
            for (var ky = y & 1; ky < 5; ky += 2)
            {
                var unitRow = (y + Border - ky) / 2;
                if (y + Border < ky || unitRow >= H2Side)
                    continue;
                var source = columns + ky * 5 * H2Units + unitRow * H2Side;
                tap0 += Vector128.Load(source);
                tap1 += Vector128.Load(source + H2Units);
                tap2 += Vector128.Load(source + 2 * H2Units);
                tap3 += Vector128.Load(source + 3 * H2Units);
                tap4 += Vector128.Load(source + 4 * H2Units);
            }
            var even = Earlier(tap0) + tap2 + Later(tap4);
            var odd = Earlier(tap1) + tap3;
            Vector256.Shuffle(Vector256.Create(even, odd), together).Store(gradient);
        }

        static Vector128<float> Earlier(Vector128<float> v) => Vector128.Shuffle(v, Vector128.Create(1, 2, 3, 4));   // 4 is none: zero
        static Vector128<float> Later(Vector128<float> v) => Vector128.Shuffle(v, Vector128.Create(4, 0, 1, 2));
    }

    /// <summary>The transpose of <see cref="ImageColumns"/>.</summary>
    private static void FromImageColumns(float* columns, float* padded, float* split)
    {
        const int half = PaddedImageSide / 2;
        new Span<float>(split, PaddedImage).Clear();
        for (var ky = 0; ky < 5; ky++)
        {
            for (var kx = 0; kx < 5; kx++, columns += H1Units)
            {
                var target = split + kx % 2 * PaddedImageSide * half + ky * half + kx / 2;
                for (var y = 0; y < H1Side; y++, target += 2 * half)
                    (Vector256.Load(target) + Vector256.Load(columns + H1Side * y)).Store(target);
            }
        }
        for (int i = 0, at = 0; i < PaddedImageSide * half; i++, at += 2)
            (padded[at], padded[at + 1]) = (split[i], split[i + PaddedImageSide * half]);
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
