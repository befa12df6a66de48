using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Zoo.Kernels.Cpu;

namespace Zoo.Mamba.Ops.SelectiveScan;

/// <summary>The inner loops: two state numbers of a block's two vectors of channels, over the steps of a chunk.</summary>
/// <remarks>
/// States, A and the sums over time live in registers; a step loads Δ and Δu once for four vectors of states. `shared` is a step's B of both
/// state numbers and then C of both.
/// </remarks>
internal static unsafe class ScanSteps
{
    /// <summary>
    /// At the start of a chunk a smaller state counts as zero: what decays on stays out of the denormal numbers, which are slow to reckon
    /// with, but for the few steps in which a fast decay goes through them.
    /// </summary>
    private const float SmallestState = 7.9e-31f;

    /// <summary>Up to it a power of two is a normal number, and so is its inverse.</summary>
    private const float LargestExponent = 126;

    /// <summary>Whether no Δ a of a block leaves what <see cref="DecaysWithin"/> can do: nearly always, and then nobody asks pair by pair.</summary>
    /// <param name="reach">The largest |Δ| of each channel, two vectors.</param>
    /// <param name="a">[pair, 2 states, two vectors].</param>
    /// <param name="pairs">How many pairs.</param>
    /// <typeparam name="V">The vector.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool IsWithin<V>(float* reach, float* a, int pairs)
        where V : struct, ILanes<V>
    {
        var w = V.Count;
        V first = V.Zero, second = V.Zero;
        for (var i = 0; i < pairs; i++, a += 4 * w)
        {
            first = V.Max(first, V.Max(V.Abs(V.Load(a)), V.Abs(V.Load(a + 2 * w))));
            second = V.Max(second, V.Max(V.Abs(V.Load(a + w)), V.Abs(V.Load(a + 3 * w))));
        }
        return V.MaxOf(V.Max(V.Load(reach) * first, V.Load(reach + w) * second)) <= LargestExponent;
    }

    /// <summary>2^(Δ a), [step, 2 states, two vectors].</summary>
    /// <param name="isWithin">What <see cref="IsWithin"/> says of the whole block.</param>
    /// <param name="delta">Δ, [step, two vectors].</param>
    /// <param name="reach">The largest |Δ| of each channel, two vectors.</param>
    /// <param name="a">[2 states, two vectors].</param>
    /// <param name="decays">What is filled.</param>
    /// <param name="steps">How many steps.</param>
    /// <typeparam name="V">The vector.</typeparam>
    /// <remarks>Apart from the loops that use them: the compiler stops inlining in a method with too many vectors.</remarks>
    public static void Decays<V>(bool isWithin, float* delta, float* reach, float* a, float* decays, int steps)
        where V : struct, ILanes<V>
    {
        if (isWithin || IsWithin<V>(reach, a, 1))
            DecaysWithin<V>(delta, a, decays, steps);
        else
            DecaysOfAny<V>(delta, a, decays, steps);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DecaysWithin<V>(float* delta, float* a, float* decays, int steps)
        where V : struct, ILanes<V>
    {
        var w = V.Count;
        V a00 = V.Load(a), a01 = V.Load(a + w), a10 = V.Load(a + 2 * w), a11 = V.Load(a + 3 * w);
        for (var t = 0; t < steps; t++)
        {
            var (d0, d1) = (V.Load(delta), V.Load(delta + w));
            V e00 = d0 * a00, e01 = d1 * a01, e10 = d0 * a10, e11 = d1 * a11;
            VectorMath.Exp2Within(ref e00, ref e01, ref e10, ref e11);
            e00.Store(decays);
            e01.Store(decays + w);
            e10.Store(decays + 2 * w);
            e11.Store(decays + 3 * w);
            delta += 2 * w;
            decays += 4 * w;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DecaysOfAny<V>(float* delta, float* a, float* decays, int steps)
        where V : struct, ILanes<V>
    {
        var w = V.Count;
        V a00 = V.Load(a), a01 = V.Load(a + w), a10 = V.Load(a + 2 * w), a11 = V.Load(a + 3 * w);
        for (var t = 0; t < steps; t++)
        {
            var (d0, d1) = (V.Load(delta), V.Load(delta + w));
            V e00 = d0 * a00, e01 = d1 * a01, e10 = d0 * a10, e11 = d1 * a11;
            VectorMath.Exp2(ref e00, ref e01, ref e10, ref e11);
            e00.Store(decays);
            e01.Store(decays + w);
            e10.Store(decays + 2 * w);
            e11.Store(decays + 3 * w);
            delta += 2 * w;
            decays += 4 * w;
        }
    }

    /// <summary>h = 2^(Δ a) h + Δu B, and y += C h.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Forward<V>(float* decays, float* input, float* shared, int sharedStride, float* state, float* y, int steps)
        where V : struct, ILanes<V>
    {
        var w = V.Count;
        V h00 = V.Load(state), h01 = V.Load(state + w), h10 = V.Load(state + 2 * w), h11 = V.Load(state + 3 * w);
        for (var t = 0; t < steps; t++)
        {
            var (x0, x1) = (V.Load(input), V.Load(input + w));
            var (b0, b1) = (V.Create(shared[0]), V.Create(shared[1]));
            h00 = V.MultiplyAdd(V.Load(decays), h00, x0 * b0);
            h01 = V.MultiplyAdd(V.Load(decays + w), h01, x1 * b0);
            h10 = V.MultiplyAdd(V.Load(decays + 2 * w), h10, x0 * b1);
            h11 = V.MultiplyAdd(V.Load(decays + 3 * w), h11, x1 * b1);
            var (c0, c1) = (V.Create(shared[2]), V.Create(shared[3]));
            V.MultiplyAdd(h00, c0, V.MultiplyAdd(h10, c1, V.Load(y))).Store(y);
            V.MultiplyAdd(h01, c0, V.MultiplyAdd(h11, c1, V.Load(y + w))).Store(y + w);
            decays += 4 * w;
            input += 2 * w;
            y += 2 * w;
            shared += sharedStride;
        }
        Flush(h00).Store(state);
        Flush(h01).Store(state + w);
        Flush(h10).Store(state + 2 * w);
        Flush(h11).Store(state + 3 * w);
    }

    /// <summary><see cref="Forward"/> of two pairs of state numbers, the same sums in the same order: Δu and y are loaded and stored half as often.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ForwardOfTwo<V>(
        float* decays, float* moreDecays, float* input, float* shared, int sharedStride, float* state, float* y, int steps)
        where V : struct, ILanes<V>
    {
        var w = V.Count;
        V h00 = V.Load(state), h01 = V.Load(state + w), h10 = V.Load(state + 2 * w), h11 = V.Load(state + 3 * w);
        V h20 = V.Load(state + 4 * w), h21 = V.Load(state + 5 * w), h30 = V.Load(state + 6 * w), h31 = V.Load(state + 7 * w);
        for (var t = 0; t < steps; t++)
        {
            var (x0, x1) = (V.Load(input), V.Load(input + w));
            var b = V.Create(shared[0]);
            h00 = V.MultiplyAdd(V.Load(decays), h00, x0 * b);
            h01 = V.MultiplyAdd(V.Load(decays + w), h01, x1 * b);
            b = V.Create(shared[1]);
            h10 = V.MultiplyAdd(V.Load(decays + 2 * w), h10, x0 * b);
            h11 = V.MultiplyAdd(V.Load(decays + 3 * w), h11, x1 * b);
            b = V.Create(shared[4]);
            h20 = V.MultiplyAdd(V.Load(moreDecays), h20, x0 * b);
            h21 = V.MultiplyAdd(V.Load(moreDecays + w), h21, x1 * b);
            b = V.Create(shared[5]);
            h30 = V.MultiplyAdd(V.Load(moreDecays + 2 * w), h30, x0 * b);
            h31 = V.MultiplyAdd(V.Load(moreDecays + 3 * w), h31, x1 * b);
            var c = V.Create(shared[3]);
            x0 = V.MultiplyAdd(h10, c, V.Load(y));
            x1 = V.MultiplyAdd(h11, c, V.Load(y + w));
            c = V.Create(shared[2]);
            x0 = V.MultiplyAdd(h00, c, x0);
            x1 = V.MultiplyAdd(h01, c, x1);
            c = V.Create(shared[7]);
            x0 = V.MultiplyAdd(h30, c, x0);
            x1 = V.MultiplyAdd(h31, c, x1);
            c = V.Create(shared[6]);
            V.MultiplyAdd(h20, c, x0).Store(y);
            V.MultiplyAdd(h21, c, x1).Store(y + w);
            decays += 4 * w;
            moreDecays += 4 * w;
            input += 2 * w;
            y += 2 * w;
            shared += sharedStride;
        }
        Flush(h00).Store(state);
        Flush(h01).Store(state + w);
        Flush(h10).Store(state + 2 * w);
        Flush(h11).Store(state + 3 * w);
        Flush(h20).Store(state + 4 * w);
        Flush(h21).Store(state + 5 * w);
        Flush(h30).Store(state + 6 * w);
        Flush(h31).Store(state + 7 * w);
    }

    /// <summary>The states of a chunk again, [step, 2 states, two vectors].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Recompute<V>(float* decays, float* input, float* shared, int sharedStride, float* start, float* states, int steps)
        where V : struct, ILanes<V>
    {
        var w = V.Count;
        V h00 = V.Load(start), h01 = V.Load(start + w), h10 = V.Load(start + 2 * w), h11 = V.Load(start + 3 * w);
        for (var t = 0; t < steps; t++)
        {
            var (x0, x1) = (V.Load(input), V.Load(input + w));
            var (b0, b1) = (V.Create(shared[0]), V.Create(shared[1]));
            h00 = V.MultiplyAdd(V.Load(decays), h00, x0 * b0);
            h01 = V.MultiplyAdd(V.Load(decays + w), h01, x1 * b0);
            h10 = V.MultiplyAdd(V.Load(decays + 2 * w), h10, x0 * b1);
            h11 = V.MultiplyAdd(V.Load(decays + 3 * w), h11, x1 * b1);
            h00.Store(states);
            h01.Store(states + w);
            h10.Store(states + 2 * w);
            h11.Store(states + 3 * w);
            decays += 4 * w;
            input += 2 * w;
            states += 4 * w;
            shared += sharedStride;
        }
    }

    /// <summary>y += C h from kept states.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Output<V>(float* states, float* shared, int sharedStride, float* y, int steps)
        where V : struct, ILanes<V>
    {
        var w = V.Count;
        for (var t = 0; t < steps; t++)
        {
            var (c0, c1) = (V.Create(shared[2]), V.Create(shared[3]));
            V.MultiplyAdd(V.Load(states), c0, V.MultiplyAdd(V.Load(states + 2 * w), c1, V.Load(y))).Store(y);
            V.MultiplyAdd(V.Load(states + w), c0, V.MultiplyAdd(V.Load(states + 3 * w), c1, V.Load(y + w))).Store(y + w);
            states += 4 * w;
            y += 2 * w;
            shared += sharedStride;
        }
    }

    /// <summary>
    /// From the last step to the first: with g the gradient of y and G that of h, G = g C + what came from the step after. Adds G B to
    /// <paramref name="inputSums"/>, 2^(Δ a) G h a to <paramref name="decaySums"/> and 2^(Δ a) G h Δ to <paramref name="gradA"/>, and the
    /// block's share of the gradients of B and C to <paramref name="gradShared"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Backward<V>(
        float* delta, float* input, float* gradY, float* shared, int sharedStride, float* a, float* start, float* states, float* decays,
        float* carried, float* inputSums, float* decaySums, float* gradA, float* gradShared, int steps)
        where V : struct, ILanes<V>
    {
        var w = V.Count;
        V a00 = V.Load(a), a01 = V.Load(a + w), a10 = V.Load(a + 2 * w), a11 = V.Load(a + 3 * w);
        V g00 = V.Load(carried), g01 = V.Load(carried + w), g10 = V.Load(carried + 2 * w), g11 = V.Load(carried + 3 * w);
        V s00 = V.Load(gradA), s01 = V.Load(gradA + w), s10 = V.Load(gradA + 2 * w), s11 = V.Load(gradA + 3 * w);
        var last = steps - 1;
        states += last * 4 * w;
        V h00 = V.Load(states), h01 = V.Load(states + w), h10 = V.Load(states + 2 * w), h11 = V.Load(states + 3 * w);
        decays += last * 4 * w;
        delta += last * 2 * w;
        input += last * 2 * w;
        gradY += last * 2 * w;
        inputSums += last * 2 * w;
        decaySums += last * 2 * w;
        shared += last * sharedStride;
        gradShared += last * sharedStride;
        for (var t = last; t >= 0; t--)
        {
            var (gy0, gy1) = (V.Load(gradY), V.Load(gradY + w));
            var (b0, b1, c0, c1) = (V.Create(shared[0]), V.Create(shared[1]), V.Create(shared[2]), V.Create(shared[3]));
            g00 = V.MultiplyAdd(gy0, c0, g00);
            g01 = V.MultiplyAdd(gy1, c0, g01);
            g10 = V.MultiplyAdd(gy0, c1, g10);
            g11 = V.MultiplyAdd(gy1, c1, g11);
            var (x0, x1) = (V.Load(input), V.Load(input + w));
            var sums = V.Sums(
                V.MultiplyAdd(g01, x1, g00 * x0),
                V.MultiplyAdd(g11, x1, g10 * x0),
                V.MultiplyAdd(h01, gy1, h00 * gy0),
                V.MultiplyAdd(h11, gy1, h10 * gy0));
            (Vector128.Load(gradShared) + sums).Store(gradShared);
            V.MultiplyAdd(g00, b0, V.MultiplyAdd(g10, b1, V.Load(inputSums))).Store(inputSums);
            V.MultiplyAdd(g01, b0, V.MultiplyAdd(g11, b1, V.Load(inputSums + w))).Store(inputSums + w);

            g00 *= V.Load(decays);
            g01 *= V.Load(decays + w);
            g10 *= V.Load(decays + 2 * w);
            g11 *= V.Load(decays + 3 * w);
            var before = t > 0 ? states - 4 * w : start;
            (h00, h01, h10, h11) = (V.Load(before), V.Load(before + w), V.Load(before + 2 * w), V.Load(before + 3 * w));
            var (q00, q01, q10, q11) = (g00 * h00, g01 * h01, g10 * h10, g11 * h11);
            V.MultiplyAdd(q00, a00, V.MultiplyAdd(q10, a10, V.Load(decaySums))).Store(decaySums);
            V.MultiplyAdd(q01, a01, V.MultiplyAdd(q11, a11, V.Load(decaySums + w))).Store(decaySums + w);
            var (d0, d1) = (V.Load(delta), V.Load(delta + w));
            s00 = V.MultiplyAdd(q00, d0, s00);
            s01 = V.MultiplyAdd(q01, d1, s01);
            s10 = V.MultiplyAdd(q10, d0, s10);
            s11 = V.MultiplyAdd(q11, d1, s11);

            states -= 4 * w;
            decays -= 4 * w;
            delta -= 2 * w;
            input -= 2 * w;
            gradY -= 2 * w;
            inputSums -= 2 * w;
            decaySums -= 2 * w;
            shared -= sharedStride;
            gradShared -= sharedStride;
        }
        Flush(g00).Store(carried);
        Flush(g01).Store(carried + w);
        Flush(g10).Store(carried + 2 * w);
        Flush(g11).Store(carried + 3 * w);
        s00.Store(gradA);
        s01.Store(gradA + w);
        s10.Store(gradA + 2 * w);
        s11.Store(gradA + 3 * w);
    }

    /// <summary>Zero in place of very small numbers; NaN stays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Flush<V>(V x)
        where V : struct, ILanes<V> => V.WhereGreater(V.Create(SmallestState), V.Abs(x), V.Zero, x);
}
