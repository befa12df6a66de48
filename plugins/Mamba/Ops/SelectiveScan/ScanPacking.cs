using Zoo.Kernels.Cpu;

namespace Zoo.Mamba.Ops.SelectiveScan;

/// <summary>Brings A, B, C and states into the order in which the inner loops read them, and sums of gradients back.</summary>
internal static unsafe class ScanPacking
{
    private const float Log2E = 1.44269504f;

    /// <summary>A in base 2, [panel, block, pair, 2, two vectors]: exp(Δ A) = 2^(Δ a).</summary>
    public static void PackA(in ScanSizes s, float* a, float* packed)
    {
        new Span<float>(packed, s.Panels * s.PanelStates).Clear();
        for (var panel = 0; panel < s.Panels; panel++)
        {
            for (var channel = 0; channel < s.ChannelCount(panel); channel++)
            {
                var row = a + (long)(s.FirstChannel(panel) + channel) * s.States;
                var to = packed + (long)panel * s.PanelStates + InPanel(s, channel);
                for (var n = 0; n < s.States; n++)
                    to[(long)n * s.Width] = row[n] * Log2E;
            }
        }
    }

    /// <summary>B and C of one sequence and group, [time, pair, B twice and C twice].</summary>
    public static void PackShared(in ScanSizes s, float* b, float* c, int batch, int group, float* packed)
    {
        new Span<float>(packed, s.Length * s.StepPairs).Clear();
        var (bStart, state, bTime) = s.SharedAt(batch, group, s.BIsGrouped);
        var (cStart, _, cTime) = s.SharedAt(batch, group, s.CIsGrouped);
        for (long t = 0; t < s.Length; t++)
        {
            var to = packed + t * s.StepPairs;
            float* fromB = b + bStart + t * bTime, fromC = c + cStart + t * cTime;
            for (var n = 0; n < s.States; n++)
            {
                to[n / 2 * 4 + n % 2] = fromB[n * state];
                to[n / 2 * 4 + n % 2 + 2] = fromC[n * state];
            }
        }
    }

    /// <summary>A panel's states, [block, pair, 2, two vectors]; zero where there is no initial one.</summary>
    public static void ReadState(in ScanSizes s, float* states, int batch, int panel, float* packed)
    {
        new Span<float>(packed, s.PanelStates).Clear();
        if (states == null)
            return;
        for (var channel = 0; channel < s.ChannelCount(panel); channel++)
        {
            var row = states + ((long)batch * s.Channels + s.FirstChannel(panel) + channel) * s.States;
            var to = packed + InPanel(s, channel);
            for (var n = 0; n < s.States; n++)
                to[(long)n * s.Width] = row[n];
        }
    }

    /// <summary>The other way.</summary>
    public static void WriteState(in ScanSizes s, float* packed, int batch, int panel, float* states)
    {
        for (var channel = 0; channel < s.ChannelCount(panel); channel++)
        {
            var row = states + ((long)batch * s.Channels + s.FirstChannel(panel) + channel) * s.States;
            var from = packed + InPanel(s, channel);
            for (var n = 0; n < s.States; n++)
                row[n] = from[(long)n * s.Width];
        }
    }

    /// <summary>A panel's numbers of an array over channels, and zeros up to whole blocks.</summary>
    public static void ReadChannels(in ScanSizes s, float* array, int panel, float* packed)
    {
        new Span<float>(packed, s.BlocksPerPanel * s.Width).Clear();
        if (array != null)
            new Span<float>(array + s.FirstChannel(panel), s.ChannelCount(panel)).CopyTo(new Span<float>(packed, s.ChannelCount(panel)));
    }

    /// <summary>The gradients of one sequence's B and C: the sums of the panels that share them, in the panels' order.</summary>
    /// <param name="s">Sizes.</param>
    /// <param name="sums">[batch, panel, time, pair, B twice and C twice]; changed.</param>
    /// <param name="batch">Which sequence.</param>
    /// <param name="gradB">In B's own layout; null where it is not wanted.</param>
    /// <param name="gradC">In C's.</param>
    public static void SumShared(in ScanSizes s, float* sums, int batch, float* gradB, float* gradC)
    {
        var panelLength = (long)s.Length * s.StepPairs;
        var first = sums + (long)batch * s.Panels * panelLength;
        for (var panel = 0; panel < s.Panels; panel++)
        {
            if (panel % s.PanelsPerGroup > 0)
                Add(panel / s.PanelsPerGroup * s.PanelsPerGroup, panel);
        }
        for (var group = 0; group < s.Groups; group++)
        {
            var sum = first + group * s.PanelsPerGroup * panelLength;
            if (s.BIsGrouped && gradB != null)
                WriteShared(s, sum, batch, group, s.BIsGrouped, gradB);
            if (s.CIsGrouped && gradC != null)
                WriteShared(s, sum + 2, batch, group, s.CIsGrouped, gradC);
        }
        for (var group = 1; group < s.Groups; group++)
            Add(0, group * s.PanelsPerGroup);
        if (!s.BIsGrouped && gradB != null)
            WriteShared(s, first, batch, 0, grouped: false, gradB);
        if (!s.CIsGrouped && gradC != null)
            WriteShared(s, first + 2, batch, 0, grouped: false, gradC);

        void Add(int to, int panel) =>
            Simd.Run(new ScanAddition { Target = first + to * panelLength, Source = first + panel * panelLength, Count = panelLength });
    }

    private static void WriteShared(in ScanSizes s, float* packed, int batch, int group, bool grouped, float* gradient)
    {
        var (start, state, time) = s.SharedAt(batch, group, grouped);
        for (long t = 0; t < s.Length; t++)
        {
            var from = packed + t * s.StepPairs;
            var to = gradient + start + t * time;
            for (var n = 0; n < s.States; n++)
                to[n * state] = from[n / 2 * 4 + n % 2];
        }
    }

    /// <summary>The gradient of A: the sum over sequences, in their order.</summary>
    /// <param name="s">Sizes.</param>
    /// <param name="sums">[batch, panel, block, pair, 2, two vectors].</param>
    /// <param name="gradient">[channel, state].</param>
    public static void SumA(in ScanSizes s, float* sums, float* gradient)
    {
        var batchLength = (long)s.Panels * s.PanelStates;
        for (var panel = 0; panel < s.Panels; panel++)
        {
            for (var channel = 0; channel < s.ChannelCount(panel); channel++)
            {
                var from = sums + (long)panel * s.PanelStates + InPanel(s, channel);
                var to = gradient + (long)(s.FirstChannel(panel) + channel) * s.States;
                for (var n = 0; n < s.States; n++)
                {
                    var sum = 0f;
                    for (var batch = 0; batch < s.Batch; batch++)
                        sum += from[batch * batchLength + (long)n * s.Width];
                    to[n] = sum;
                }
            }
        }
    }

    /// <summary>The gradient of an array over channels: the sum over sequences.</summary>
    /// <param name="s">Sizes.</param>
    /// <param name="sums">[batch, panel, block, two vectors].</param>
    /// <param name="gradient">[channel].</param>
    public static void SumChannels(in ScanSizes s, float* sums, float* gradient)
    {
        var panelLength = (long)s.BlocksPerPanel * s.Width;
        for (var panel = 0; panel < s.Panels; panel++)
        {
            for (var channel = 0; channel < s.ChannelCount(panel); channel++)
            {
                var sum = 0f;
                for (var batch = 0; batch < s.Batch; batch++)
                    sum += sums[((long)batch * s.Panels + panel) * panelLength + channel];
                gradient[s.FirstChannel(panel) + channel] = sum;
            }
        }
    }

    /// <summary>Where a channel's first state number is in a panel's states.</summary>
    private static long InPanel(in ScanSizes s, int channel) => (long)(channel / s.Width) * s.BlockStates + channel % s.Width;
}
