using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.Mamba.Ops.SelectiveScan;

/// <summary>Sizes of one call, how its work is cut, and where things lie.</summary>
/// <remarks>
/// A panel is up to 64 channels of one group: the unit of work for threads, and of the sums that become the gradients of B and C, so neither
/// depends on how many threads there are. A block is two vectors of a panel's channels; channels beyond the last are zeros.
/// </remarks>
internal readonly struct ScanSizes
{
    /// <summary>
    /// Steps whose states backward recomputes at a time: tiles of as many steps, of which the inner loops go through ten at once, then fill two
    /// thirds of the first cache.
    /// </summary>
    public static int ChunkLength => Simd.Bits == 512 ? 16 : 32;

    private const int PanelChannels = 64;

    /// <param name="call">Sizes; its tensors may be gone in a backward.</param>
    /// <param name="timeLast">The layout.</param>
    /// <param name="arrays">Says by their lengths whether B and C have groups.</param>
    public ScanSizes(OpCall call, bool timeLast, KernelArrays? arrays = null)
    {
        TimeLast = timeLast;
        (Batch, Channels, States, Length) = (call.Count("B"), call.Count("D"), call.Count("N"), call.Count("L"));
        Groups = checked((int)call.SizeOr("G", 1));
        var oneGroup = (long)Batch * States * Length;
        BIsGrouped = arrays?["B"].Length > oneGroup;
        CIsGrouped = arrays?["C"].Length > oneGroup;
    }

    public bool TimeLast { get; }

    public int Batch { get; }

    public int Channels { get; }

    public int States { get; }

    public int Length { get; }

    /// <summary>Groups of channels that share B or C.</summary>
    public int Groups { get; }

    public bool BIsGrouped { get; }

    public bool CIsGrouped { get; }

    /// <summary>Channels of a block.</summary>
    public int Width => Simd.Bits / 16;

    /// <summary>State numbers are taken two at a time; a last odd one has a companion of zeros.</summary>
    public int Pairs => (States + 1) / 2;

    public int Chunks => (Length + ChunkLength - 1) / ChunkLength;

    public int ChannelsPerGroup => Channels / Groups;

    public int PanelsPerGroup => (ChannelsPerGroup + PanelChannels - 1) / PanelChannels;

    public int Panels => PanelsPerGroup * Groups;

    public int BlocksPerPanel => (Math.Min(PanelChannels, ChannelsPerGroup) + Width - 1) / Width;

    /// <summary>Numbers of a block's states, or of its A: [pair, 2 states, two vectors].</summary>
    public int BlockStates => Pairs * 2 * Width;

    /// <summary>Numbers of a step's B and C, or of their gradients: [pair, B twice and C twice].</summary>
    public int StepPairs => Pairs * 4;

    public int PanelStates => BlocksPerPanel * BlockStates;

    /// <summary>States at the start of every chunk, [batch, panel, chunk, block, pair, 2, two vectors].</summary>
    public long StartsLength => (long)Batch * Panels * Chunks * PanelStates;

    public int FirstChannel(int panel) => panel / PanelsPerGroup * ChannelsPerGroup + panel % PanelsPerGroup * PanelChannels;

    public int ChannelCount(int panel) => Math.Min(PanelChannels, ChannelsPerGroup - panel % PanelsPerGroup * PanelChannels);

    /// <summary>From one channel to the next in u, delta, z and y.</summary>
    public long ChannelStride => TimeLast ? Length : 1;

    /// <summary>From one step to the next in them.</summary>
    public long TimeStride => TimeLast ? 1 : Channels;

    /// <summary>Where a channel of a sequence starts in them.</summary>
    public long At(int batch, int channel) => (long)batch * Channels * Length + channel * ChannelStride;

    /// <summary>Where a group's first state number at the first step is in B or C, and the strides to the next state number and step.</summary>
    public (long Start, long State, long Time) SharedAt(int batch, int group, bool grouped)
    {
        var groups = grouped ? Groups : 1;
        var own = grouped ? group : 0;
        var start = (long)batch * groups * States * Length;
        return TimeLast
            ? (start + (long)own * States * Length, Length, 1)
            : (start + (long)own * States, 1, (long)groups * States);
    }
}
