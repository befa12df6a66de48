using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.Slstm;

/// <summary>The forward of some heads for a group of sequences: the whole time loop.</summary>
/// <remarks>
/// A step's numbers of a head lie in a block, [what, row, padded dim], in the order of <see cref="SlstmSizes.Kept"/>; the recurrent products are made in it,
/// and the passes over it are short, so that many vectors of each are on the way at once: one long pass waits for its own results. Heads take each step in
/// turn, so that a step's inputs are read in one stretch.
/// </remarks>
internal unsafe struct SlstmForward : ISimdKernel
{
    private const int StepsAhead = 2;

    public SlstmSizes Sizes;
    public bool IsEmpty;                            // every n of the initial state is 0
    public int FirstHead, Heads, First, Rows;       // the first head and how many, the first sequence and how many
    public float* X, State, Recurrent, Bias;        // State null: empty
    public float* Y, FinalState;
    public float* Kept;                             // for backward, or null

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        int dim = Sizes.Dim, padded = Sizes.Padded, rows = Rows, size = rows * padded, block = SlstmSizes.Kept * size;
        long matrices = 4L * dim * padded, biases = 4L * padded;
        var scratch = ThreadScratch.Of(Heads * (matrices + biases + 4L * size + 2L * block) + size, 9);
        float* packed = scratch.Take(Heads * matrices), bias = scratch.Take(Heads * biases), own = scratch.Take((long)Heads * block);
        float* other = scratch.Take((long)Heads * block), y = scratch.Take((long)Heads * size), c = scratch.Take((long)Heads * size);
        float* n = scratch.Take((long)Heads * size), m = scratch.Take((long)Heads * size), small = scratch.Take(size);
        for (var h = 0; h < Heads; h++)
        {
            var head = FirstHead + h;
            RecurrentWeights.Forward<V>(Recurrent + 4L * head * dim * dim, dim, padded, packed + h * matrices);
            for (var gate = 0; gate < 4; gate++)
                Matrix.Rows.Load(Bias + ((long)gate * Sizes.Heads + head) * dim, 1, dim, bias + h * biases + gate * padded, padded);
            Sizes.LoadState(State, 0, head, First, rows, y + h * size);
            Sizes.LoadState(State, 1, head, First, rows, c + h * size);
            Sizes.LoadState(State, 2, head, First, rows, n + h * size);
            Sizes.LoadState(State, 3, head, First, rows, m + h * size);
        }
        for (var t = 0; t < Sizes.Length; t++)
        {
            for (var h = 0; h < Heads; h++)
            {
                var now = Kept == null ? own + (long)h * block : Kept + Sizes.Block(FirstHead + h, First, rows, t);
                float* cBefore = c + h * size, nBefore = n + h * size;
                if (t > 0)
                {
                    var last = Kept == null ? other + (long)h * block : Kept + Sizes.Block(FirstHead + h, First, rows, t - 1);
                    cBefore = last + 5 * size;
                    nBefore = last + 6 * size;
                }
                var weights = RecurrentWeights.Packed<V>(packed + h * matrices, dim, padded);
                Step<V>(weights, bias + h * biases, t, FirstHead + h, now, cBefore, nBefore, y + h * size, m + h * size, small);
            }
            var free = other;
            other = own;
            own = free;
        }
        for (var h = 0; h < Heads; h++)
        {
            var head = FirstHead + h;
            var last = Sizes.Length == 0 ? null : Kept == null ? other + (long)h * block : Kept + Sizes.Block(head, First, rows, Sizes.Length - 1);
            Sizes.StoreState(y + h * size, 0, head, First, rows, FinalState);
            Sizes.StoreState(last == null ? c + h * size : last + 5 * size, 1, head, First, rows, FinalState);
            Sizes.StoreState(last == null ? n + h * size : last + 6 * size, 2, head, First, rows, FinalState);
            Sizes.StoreState(m + h * size, 3, head, First, rows, FinalState);
        }
    }

    /// <summary>A step of one head; its block is <paramref name="now"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Step<V>(
        in RecurrentWeights weights, float* bias, int t, int head, float* now, float* cBefore, float* nBefore, float* y, float* m, float* small)
        where V : struct, ILanes<V>
    {
        int dim = Sizes.Dim, padded = Sizes.Padded, rows = Rows, size = rows * padded;
        for (var gate = 0; gate < 4; gate++)
        {
            weights.Apply<V>(gate, rows, y, now + gate * size, add: false);
            AddInput<V>(now + gate * size, bias + gate * padded, t, gate, head);
        }
        Squash<V>(now + 2 * size, now + 3 * size, size);
        Forget<V>(now + size, now + 4 * size, small, size);
        if (IsEmpty && t == 0)
            WeighFirst<V>(now, now + size, m, size);
        else
            Weigh<V>(now, now + size, m, size);
        Remember<V>(now, cBefore, nBefore, y, size);
        for (var row = 0; row < rows; row++)
            Matrix.Rows.Copy<V>(y + row * padded, Y + (((long)(First + row) * Sizes.Heads + head) * Sizes.Length + t) * dim, dim);
    }

    /// <summary>A gate's pre-activation: what the recurrent product left, x and the bias.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void AddInput<V>(float* sums, float* bias, int t, int gate, int head)
        where V : struct, ILanes<V>
    {
        int dim = Sizes.Dim, padded = Sizes.Padded;
        var ahead = t + StepsAhead < Sizes.Length ? StepsAhead * Sizes.InputStride : 0;
        for (var row = 0; row < Rows; row++, sums += padded)
        {
            var x = X + ((long)(First + row) * Sizes.Length + t) * Sizes.InputStride + ((long)gate * Sizes.Heads + head) * dim;
            Prefetch.Row(x + ahead, dim);       // a step's inputs lie a page or more behind those of the last
            var e = 0;
            for (; e + V.Count <= dim; e += V.Count)
                (V.Load(sums + e) + V.Load(bias + e) + V.Load(x + e)).Store(sums + e);
            if (e < dim)
                (V.Load(sums + e) + V.Load(bias + e) + V.LoadPartial(x + e, dim - e)).Store(sums + e);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Squash<V>(float* z, float* o, int size)
        where V : struct, ILanes<V>
    {
        var one = V.Create(1);
        for (var i = 0; i < size; i += V.Count)
            VectorMath.Tanh(V.Load(z + i)).Store(z + i);
        for (var i = 0; i < size; i += V.Count)
            (one / (one + VectorMath.ExpBounded(-V.Load(o + i)))).Store(o + i);
    }

    /// <summary>log σ(f) in place of f, and σ(-f): one exponential for both.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Forget<V>(float* forget, float* notForgotten, float* small, int size)
        where V : struct, ILanes<V>
    {
        var one = V.Create(1);
        for (var i = 0; i < size; i += V.Count)
            VectorMath.ExpBounded(-V.Abs(V.Load(forget + i))).Store(small + i);
        for (var i = 0; i < size; i += V.Count)
        {
            V f = V.Load(forget + i), s = V.Load(small + i);
            (V.WhereGreater(f, V.Zero, s, one) / (one + s)).Store(notForgotten + i);
            (V.Min(f, V.Zero) - VectorMath.Log1P(s)).Store(forget + i);
        }
    }

    /// <summary>i' and f' in place of i and log σ(f), and the next m. One of the two weights is 1, so that they share an exponential.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh<V>(float* input, float* forget, float* m, int size)
        where V : struct, ILanes<V>
    {
        var one = V.Create(1);
        for (var i = 0; i < size; i += V.Count)
        {
            V given = V.Load(input + i), forgotten = V.Load(forget + i) + V.Load(m + i);
            var apart = given - forgotten;
            var lesser = VectorMath.Exp(-V.Abs(apart));
            V.Max(given, forgotten).Store(m + i);
            V.WhereGreater(V.Zero, apart, lesser, one).Store(input + i);
            V.WhereGreater(apart, V.Zero, lesser, one).Store(forget + i);
        }
    }

    /// <summary>As <see cref="Weigh"/> from the empty state, where there is nothing to compare with: m is the input gate's, and f' is cut off at 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WeighFirst<V>(float* input, float* forget, float* m, int size)
        where V : struct, ILanes<V>
    {
        var one = V.Create(1);
        for (var i = 0; i < size; i += V.Count)
        {
            var given = V.Load(input + i);
            VectorMath.Exp(V.Min(V.Load(forget + i) + V.Load(m + i) - given, V.Zero)).Store(forget + i);
            given.Store(m + i);
            one.Store(input + i);
        }
    }

    /// <summary>The next c, n and y.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Remember<V>(float* own, float* c, float* n, float* y, int size)
        where V : struct, ILanes<V>
    {
        for (var i = 0; i < size; i += V.Count)
        {
            V input = V.Load(own + i), forget = V.Load(own + size + i);
            var nextC = V.MultiplyAdd(forget, V.Load(c + i), input * V.Load(own + 2 * size + i));
            var nextN = V.MultiplyAdd(forget, V.Load(n + i), input);
            nextC.Store(own + 5 * size + i);
            nextN.Store(own + 6 * size + i);
            V.WhereGreater(V.Abs(nextN), V.Zero, V.Load(own + 3 * size + i) * nextC / nextN, V.Zero).Store(y + i);
        }
    }
}
