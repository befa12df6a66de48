using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Mamba.Ops.SelectiveScan;

/// <summary>The backward of one panel of one sequence. Gradients that are not wanted are null; so is a gradient that is zero.</summary>
internal unsafe struct ScanBackward : ISimdKernel
{
    private const float Ln2 = 0.69314718f;

    public ScanSizes Sizes;
    public bool Softplus;
    public int Batch, Panel;
    public float* U, Delta, Z;
    public float* PackedA, Shared, Skip, Bias, Starts;
    public float* GradY, GradLast;                       // GradY: null for zero
    public float* GradU, GradDelta, GradZ, GradInitial;
    public float* SumA, SumShared, SumSkip, SumBias;     // the call's sums, as ScanPacking adds them up

    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var s = Sizes;
        var width = s.Width;
        var (firstChannel, channelCount) = (s.FirstChannel(Panel), s.ChannelCount(Panel));
        var chunk = ScanSizes.ChunkLength;
        var tile = chunk * width;
        using var scratch = new Scratch(s.PanelStates + 14 * tile + (2 * s.BlocksPerPanel + 1) * width);
        var carried = scratch.Start;
        var delta = carried + s.PanelStates;
        var input = delta + tile;
        var u = input + tile;
        var y = u + tile;
        var gradY = y + tile;
        var rates = gradY + tile;
        var inputSums = rates + tile;
        var decaySums = inputSums + tile;
        var z = decaySums + tile;
        var given = z + tile;
        var states = given + tile;                       // two tiles: both state numbers
        var decays = states + 2 * tile;
        var skip = decays + 2 * tile;
        var bias = skip + s.BlocksPerPanel * width;
        var reach = bias + s.BlocksPerPanel * width;
        ScanPacking.ReadState(s, GradLast, Batch, Panel, carried);
        ScanPacking.ReadChannels(s, Skip, Panel, skip);
        ScanPacking.ReadChannels(s, Bias, Panel, bias);
        var item = (long)Batch * s.Panels + Panel;
        var packedA = PackedA + (long)Panel * s.PanelStates;
        var shared = Shared + ((long)Batch * s.Groups + Panel / s.PanelsPerGroup) * s.Length * s.StepPairs;
        var starts = Starts + item * s.Chunks * s.PanelStates;
        var sumA = SumA + item * s.PanelStates;
        var sumShared = SumShared + item * s.Length * s.StepPairs;
        var sumSkip = SumSkip + item * s.BlocksPerPanel * width;
        var sumBias = SumBias + item * s.BlocksPerPanel * width;
        new Span<float>(sumA, s.PanelStates).Clear();
        new Span<float>(sumShared, s.Length * s.StepPairs).Clear();
        new Span<float>(sumSkip, s.BlocksPerPanel * width).Clear();
        new Span<float>(sumBias, s.BlocksPerPanel * width).Clear();
        ReadOnlySpan<nint> used = [(nint)U, (nint)Delta, (nint)Z, (nint)GradY, (nint)GradU, (nint)GradDelta, (nint)GradZ];
        var blocks = (channelCount + width - 1) / width;
        for (var block = 0; block < blocks; block++)
        {
            var count = Math.Min(width, channelCount - block * width);
            for (var index = s.Chunks - 1; index >= 0; index--)
            {
                var t = index * chunk;
                var steps = Math.Min(chunk, s.Length - t);
                var at = s.At(Batch, firstChannel + block * width) + t * s.TimeStride;
                ScanTiles.Read<V>(U + at, s.ChannelStride, s.TimeStride, count, steps, u);
                ScanTiles.Read<V>(Delta + at, s.ChannelStride, s.TimeStride, count, steps, delta);
                var (nextBlock, nextT) = index > 0 ? (block, t - chunk) : (block + 1, (s.Chunks - 1) * chunk);
                ScanTiles.Step<V>(delta, Bias == null ? null : bias + block * width, Softplus, rates, reach, steps);
                if (GradY != null)
                    ScanTiles.Read<V>(GradY + at, s.ChannelStride, s.TimeStride, count, steps, gradY);
                else
                    new Span<float>(gradY, steps * width).Clear();
                Start<V>(delta, u, input, inputSums, decaySums, y, steps);
                if (Z != null)
                {
                    ScanTiles.Read<V>(Z + at, s.ChannelStride, s.TimeStride, count, steps, z);
                    Gate<V>(gradY, z, given, steps);
                }
                var isWithin = ScanSteps.IsWithin<V>(reach, packedA + block * s.BlockStates, s.Pairs);
                for (var pair = 0; pair < s.Pairs; pair++)
                {
                    var offset = block * s.BlockStates + pair * 2 * width;
                    var step = (long)t * s.StepPairs + pair * 4;
                    var start = starts + (long)index * s.PanelStates + offset;
                    for (var i = pair; i < used.Length; i += s.Pairs)
                        ScanTiles.Prefetch(s, Batch, Panel, nextBlock, nextT, (float*)used[i]);
                    ScanSteps.Decays<V>(isWithin, delta, reach, packedA + offset, decays, steps);
                    ScanSteps.Recompute<V>(decays, input, shared + step, s.StepPairs, start, states, steps);
                    if (GradZ != null)
                        ScanSteps.Output<V>(states, shared + step, s.StepPairs, y, steps);
                    ScanSteps.Backward<V>(
                        delta, input, gradY, shared + step, s.StepPairs, packedA + offset, start, states, decays, carried + offset,
                        inputSums, decaySums, sumA + offset, sumShared + step, steps);
                }
                var blockSkip = Skip == null ? null : skip + block * width;
                if (GradZ != null)
                {
                    GateGradient<V>(y, u, z, given, blockSkip, steps);
                    ScanTiles.Write<V>(y, count, steps, GradZ + at, s.ChannelStride, s.TimeStride);
                }
                Finish<V>(
                    delta, u, gradY, Softplus ? rates : null, blockSkip, inputSums, decaySums, sumSkip + block * width, sumBias + block * width,
                    steps);
                if (GradU != null)
                    ScanTiles.Write<V>(inputSums, count, steps, GradU + at, s.ChannelStride, s.TimeStride);
                if (GradDelta != null)
                    ScanTiles.Write<V>(decaySums, count, steps, GradDelta + at, s.ChannelStride, s.TimeStride);
            }
        }
        if (GradInitial != null)
            ScanPacking.WriteState(s, carried, Batch, Panel, GradInitial);
    }

    /// <summary>Δu, and zeros where sums begin.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Start<V>(float* delta, float* u, float* input, float* inputSums, float* decaySums, float* y, int steps)
        where V : struct, ILanes<V>
    {
        for (var at = 0; at < steps * 2 * V.Count; at += V.Count)
        {
            (V.Load(delta + at) * V.Load(u + at)).Store(input + at);
            V.Zero.Store(inputSums + at);
            V.Zero.Store(decaySums + at);
            V.Zero.Store(y + at);
        }
    }

    /// <summary>The gradient before the gate, with that of y itself kept in <paramref name="given"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Gate<V>(float* gradY, float* z, float* given, int steps)
        where V : struct, ILanes<V>
    {
        for (var at = 0; at < steps * 2 * V.Count; at += V.Count)
        {
            var g = V.Load(gradY + at);
            g.Store(given + at);
            (g * VectorMath.SiluBounded(V.Load(z + at))).Store(gradY + at);
        }
    }

    /// <summary>The gradient of z, in place of y: silu' = σ (1 + z (1 - σ)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GateGradient<V>(float* y, float* u, float* z, float* given, float* skip, int steps)
        where V : struct, ILanes<V>
    {
        var width = 2 * V.Count;
        for (var i = 0; i < width; i += V.Count)
        {
            var d = skip == null ? V.Zero : V.Load(skip + i);
            for (var at = i; at < steps * width; at += width)
            {
                var output = skip == null ? V.Load(y + at) : V.MultiplyAdd(d, V.Load(u + at), V.Load(y + at));
                (V.Load(given + at) * output * VectorMath.SiluSlope(V.Load(z + at))).Store(y + at);
            }
        }
    }

    /// <summary>The gradients of u and delta in place of their sums, and what the steps add to those of D and the bias.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Finish<V>(
        float* delta, float* u, float* gradY, float* rates, float* skip, float* inputSums, float* decaySums, float* sumSkip, float* sumBias,
        int steps)
        where V : struct, ILanes<V>
    {
        var width = 2 * V.Count;
        var ln2 = V.Create(Ln2);
        for (var i = 0; i < width; i += V.Count)
        {
            var d = skip == null ? V.Zero : V.Load(skip + i);
            var (ofSkip, ofBias) = (V.Load(sumSkip + i), V.Load(sumBias + i));
            for (var at = i; at < steps * width; at += width)
            {
                var (x, g, s) = (V.Load(u + at), V.Load(gradY + at), V.Load(inputSums + at));
                var ofU = s * V.Load(delta + at);
                (skip == null ? ofU : V.MultiplyAdd(d, g, ofU)).Store(inputSums + at);
                ofSkip = V.MultiplyAdd(g, x, ofSkip);
                var ofDelta = V.MultiplyAdd(s, x, V.Load(decaySums + at) * ln2);   // A was packed in base 2
                if (rates != null)
                    ofDelta *= V.Load(rates + at);
                ofDelta.Store(decaySums + at);
                ofBias += ofDelta;
            }
            ofSkip.Store(sumSkip + i);
            ofBias.Store(sumBias + i);
        }
    }
}
