using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The backward of some dimensions of one sequence. Gradients that are not wanted, and those that are zero, are null.</summary>
internal unsafe struct CausalConvBackward : ISimdKernel
{
    public CausalConvSizes Sizes;
    public int Batch, First, Count;
    public float* X, Columns;              // Columns: the weight as [width, dim]
    public float* Bias, Initial;           // null: zero
    public float* GradY, GradLast;         // null: zero
    public float* GradX, GradInitial;      // null: not wanted
    public float* Sums;                    // [batch, width + 1, dim]: this sequence's part of the gradients of the columns and of the bias

    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var s = Sizes;
        var sums = Sums + (long)Batch * (s.Width + 1) * s.Dims + First;
        for (var row = 0; row <= s.Width; row++)
            new Span<float>(sums + (long)row * s.Dims, Count).Clear();
        for (var i = 0; i < s.Width && GradInitial != null; i++)
            Start(GradInitial + ((long)Batch * s.Width + i) * s.Dims + First, i - s.Width);
        if (GradY == null)
        {
            for (var t = 0; t < s.Length; t++)
                StartInput(t);
            return;
        }
        var rows = stackalloc float*[s.Width];
        var columns = stackalloc float*[s.Width];
        var gradRows = stackalloc float*[s.Width];
        var gradColumns = stackalloc float*[s.Width];
        var local = stackalloc float[(s.Width + 1) * Count];      // the sums of this piece, near the gradients that they come from
        new Span<float>(local, (s.Width + 1) * Count).Clear();
        var gradient = stackalloc float[Count + V.Count];
        for (var t = 0; t < s.Length; t++)
        {
            StartInput(t);      // no step before this one looks at it
            var taps = CausalConvForward.Taps(s, X, Initial, Columns, Batch, First, t, rows, columns);
            var bias = Bias == null ? null : Bias + First;
            var gradY = GradY + ((long)Batch * s.Length + t) * s.Dims + First;
            for (var k = 0; k < taps; k++)
            {
                var column = s.Width - taps + k;
                var time = t - s.Width + 1 + column;
                var wanted = time >= 0 ? GradX : GradInitial;
                gradRows[k] = wanted == null ? null : s.Row(GradX, GradInitial, Batch, time) + First;
                gradColumns[k] = local + column * Count;
            }
            if (taps == 4 && Count % V.Count == 0 && gradRows[0] != null && gradRows[3] != null)
            {
                FourTaps<V>(rows, columns, gradRows, gradColumns, bias, s.Silu, gradY, local + s.Width * Count, Count);
                continue;
            }
            BeforeSilu<V>(rows, columns, taps, bias, s.Silu, gradY, gradient, Count);
            Spread<V>(rows, columns, gradRows, gradColumns, taps, gradient, local + s.Width * Count, Count);
        }
        for (var row = 0; row <= s.Width; row++)
            new Span<float>(local + row * Count, Count).CopyTo(new Span<float>(sums + (long)row * s.Dims, Count));
    }

    private readonly void StartInput(int t)
    {
        if (GradX != null)
            Start(GradX + ((long)Batch * Sizes.Length + t) * Sizes.Dims + First, t);
    }

    /// <summary>The gradient of an input begins with that of the last inputs, where it is one of them, and with zero elsewhere.</summary>
    private readonly void Start(float* row, int time)
    {
        var slot = time - (Sizes.Length - Sizes.Width);
        var to = new Span<float>(row, Count);
        if (GradLast != null && slot >= 0)
            new Span<float>(GradLast + ((long)Batch * Sizes.Width + slot) * Sizes.Dims + First, Count).CopyTo(to);
        else
            to.Clear();
    }

    /// <summary>The usual width in whole vectors, with its pointers at hand: the gradient of the sum, and what it gives to all others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourTaps<V>(
        float** rows, float** columns, float** gradRows, float** gradColumns, float* bias, bool silu, float* gradY, float* gradBias, int count)
        where V : struct, ILanes<V>
    {
        float* x0 = rows[0], x1 = rows[1], x2 = rows[2], x3 = rows[3];
        float* w0 = columns[0], w1 = columns[1], w2 = columns[2], w3 = columns[3];
        float* dx0 = gradRows[0], dx1 = gradRows[1], dx2 = gradRows[2], dx3 = gradRows[3];
        float* dw0 = gradColumns[0], dw1 = gradColumns[1], dw2 = gradColumns[2], dw3 = gradColumns[3];
        for (var i = 0; i < count; i += V.Count)
        {
            V a = V.Load(x0 + i), b = V.Load(x1 + i), c = V.Load(x2 + i), d = V.Load(x3 + i);
            var g = V.Load(gradY + i);
            if (silu)
            {
                var sum = bias == null ? V.Zero : V.Load(bias + i);
                sum = V.MultiplyAdd(a, V.Load(w0 + i), sum);
                sum = V.MultiplyAdd(b, V.Load(w1 + i), sum);
                sum = V.MultiplyAdd(c, V.Load(w2 + i), sum);
                sum = V.MultiplyAdd(d, V.Load(w3 + i), sum);
                g *= VectorMath.SiluSlope(sum);
            }
            (V.Load(gradBias + i) + g).Store(gradBias + i);
            V.MultiplyAdd(g, a, V.Load(dw0 + i)).Store(dw0 + i);
            V.MultiplyAdd(g, b, V.Load(dw1 + i)).Store(dw1 + i);
            V.MultiplyAdd(g, c, V.Load(dw2 + i)).Store(dw2 + i);
            V.MultiplyAdd(g, d, V.Load(dw3 + i)).Store(dw3 + i);
            V.MultiplyAdd(g, V.Load(w0 + i), V.Load(dx0 + i)).Store(dx0 + i);
            V.MultiplyAdd(g, V.Load(w1 + i), V.Load(dx1 + i)).Store(dx1 + i);
            V.MultiplyAdd(g, V.Load(w2 + i), V.Load(dx2 + i)).Store(dx2 + i);
            V.MultiplyAdd(g, V.Load(w3 + i), V.Load(dx3 + i)).Store(dx3 + i);
        }
    }

    /// <summary>The gradient of the sum: the slope of SiLU times that of y.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BeforeSilu<V>(float** rows, float** columns, int taps, float* bias, bool silu, float* gradY, float* gradient, int count)
        where V : struct, ILanes<V>
    {
        if (!silu)
        {
            new Span<float>(gradY, count).CopyTo(new Span<float>(gradient, count));
            return;
        }
        for (var i = 0; i < count; i += V.Count)
        {
            var n = Math.Min(V.Count, count - i);
            var sum = bias == null ? V.Zero : Load<V>(bias + i, n);
            for (var k = 0; k < taps; k++)
                sum = V.MultiplyAdd(Load<V>(rows[k] + i, n), Load<V>(columns[k] + i, n), sum);
            (Load<V>(gradY + i, n) * VectorMath.SiluSlope(sum)).Store(gradient + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Spread<V>(
        float** rows, float** columns, float** gradRows, float** gradColumns, int taps, float* gradient, float* gradBias, int count)
        where V : struct, ILanes<V>
    {
        for (var i = 0; i < count; i += V.Count)
        {
            var n = Math.Min(V.Count, count - i);
            var g = Load<V>(gradient + i, n);
            Add<V>(gradBias + i, g, n);
            for (var k = 0; k < taps; k++)
            {
                Add<V>(gradColumns[k] + i, g * Load<V>(rows[k] + i, n), n);
                if (gradRows[k] != null)
                    Add<V>(gradRows[k] + i, g * Load<V>(columns[k] + i, n), n);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Load<V>(float* source, int count)
        where V : struct, ILanes<V> => count == V.Count ? V.Load(source) : V.LoadPartial(source, count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<V>(float* target, V value, int count)
        where V : struct, ILanes<V>
    {
        if (count == V.Count)
            (V.Load(target) + value).Store(target);
        else
            (V.LoadPartial(target, count) + value).StorePartial(target, count);
    }
}
