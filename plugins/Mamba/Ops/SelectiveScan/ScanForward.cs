using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Mamba.Ops.SelectiveScan;

/// <summary>The forward of one panel of one sequence.</summary>
internal unsafe struct ScanForward : ISimdKernel
{
    public ScanSizes Sizes;
    public bool Softplus;
    public int Batch, Panel;
    public float* U, Delta, Z, Y;          // Z: null for none
    public float* PackedA, Shared;         // as ScanPacking makes them
    public float* Skip, Bias;              // D and delta_bias, [channel]; null for none
    public float* Initial, Last;           // [batch, channel, state]; Initial: null for zero
    public float* Starts;                  // null where no backward follows

    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var s = Sizes;
        var width = s.Width;
        var (firstChannel, channelCount) = (s.FirstChannel(Panel), s.ChannelCount(Panel));
        var chunk = ScanSizes.ChunkLength;
        using var scratch = new Scratch(s.PanelStates + 8 * chunk * width + (2 * s.BlocksPerPanel + 1) * width);
        var state = scratch.Start;
        var delta = state + s.PanelStates;
        var input = delta + chunk * width;
        var u = input + chunk * width;
        var y = u + chunk * width;
        var decays = y + chunk * width;                  // two tiles: two state numbers
        var moreDecays = decays + 2 * chunk * width;
        var skip = moreDecays + 2 * chunk * width;
        var bias = skip + s.BlocksPerPanel * width;
        var reach = bias + s.BlocksPerPanel * width;
        ScanPacking.ReadState(s, Initial, Batch, Panel, state);
        ScanPacking.ReadChannels(s, Skip, Panel, skip);
        ScanPacking.ReadChannels(s, Bias, Panel, bias);
        var packedA = PackedA + (long)Panel * s.PanelStates;
        var shared = Shared + ((long)Batch * s.Groups + Panel / s.PanelsPerGroup) * s.Length * s.StepPairs;
        var starts = Starts == null ? null : Starts + ((long)Batch * s.Panels + Panel) * s.Chunks * s.PanelStates;
        ReadOnlySpan<nint> used = [(nint)U, (nint)Delta, (nint)Z, (nint)Y];
        var blocks = (channelCount + width - 1) / width;
        for (var block = 0; block < blocks; block++)
        {
            var count = Math.Min(width, channelCount - block * width);
            var own = block * s.BlockStates;
            for (var t = 0; t < s.Length; t += chunk)
            {
                var steps = Math.Min(chunk, s.Length - t);
                if (starts != null)
                {
                    var kept = starts + t / chunk * s.PanelStates + own;
                    new Span<float>(state + own, s.BlockStates).CopyTo(new Span<float>(kept, s.BlockStates));
                }
                var at = s.At(Batch, firstChannel + block * width) + t * s.TimeStride;
                ScanTiles.Read<V>(U + at, s.ChannelStride, s.TimeStride, count, steps, u);
                ScanTiles.Read<V>(Delta + at, s.ChannelStride, s.TimeStride, count, steps, delta);
                var (nextBlock, nextT) = t + chunk < s.Length ? (block, t + chunk) : (block + 1, 0);
                ScanTiles.Step<V>(delta, Bias == null ? null : bias + block * width, Softplus, null, reach, steps);
                Start<V>(delta, u, Skip == null ? null : skip + block * width, input, y, steps);
                var isWithin = ScanSteps.IsWithin<V>(reach, packedA + own, s.Pairs);
                for (var pair = 0; pair < s.Pairs; pair += 2)
                {
                    var a = packedA + own + pair * 2 * width;
                    var states = state + own + pair * 2 * width;
                    var step = shared + (long)t * s.StepPairs + pair * 4;
                    for (var i = pair / 2; i < used.Length; i += (s.Pairs + 1) / 2)
                        ScanTiles.Prefetch(s, Batch, Panel, nextBlock, nextT, (float*)used[i]);
                    ScanSteps.Decays<V>(isWithin, delta, reach, a, decays, steps);
                    if (pair + 1 == s.Pairs)
                    {
                        ScanSteps.Forward<V>(decays, input, step, s.StepPairs, states, y, steps);
                        continue;
                    }
                    ScanSteps.Decays<V>(isWithin, delta, reach, a + 4 * V.Count, moreDecays, steps);
                    ScanSteps.ForwardOfTwo<V>(decays, moreDecays, input, step, s.StepPairs, states, y, steps);
                }
                if (Z != null)
                {
                    ScanTiles.Read<V>(Z + at, s.ChannelStride, s.TimeStride, count, steps, u);
                    Gate<V>(y, u, steps);
                }
                ScanTiles.Write<V>(y, count, steps, Y + at, s.ChannelStride, s.TimeStride);
            }
        }
        ScanPacking.WriteState(s, state, Batch, Panel, Last);
    }

    /// <summary>Δu, and y = D u to begin with.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Start<V>(float* delta, float* u, float* skip, float* input, float* y, int steps)
        where V : struct, ILanes<V>
    {
        var width = 2 * V.Count;
        for (var i = 0; i < width; i += V.Count)
        {
            var d = skip == null ? V.Zero : V.Load(skip + i);
            for (var at = i; at < steps * width; at += width)
            {
                var x = V.Load(u + at);
                (V.Load(delta + at) * x).Store(input + at);
                (skip == null ? V.Zero : d * x).Store(y + at);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Gate<V>(float* y, float* z, int steps)
        where V : struct, ILanes<V>
    {
        for (var at = 0; at < steps * 2 * V.Count; at += V.Count)
            (V.Load(y + at) * VectorMath.SiluBounded(V.Load(z + at))).Store(y + at);
    }
}
