using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.XLstm.Ops.SlstmInputs;

/// <summary>Sizes of a call of `slstm_inputs`.</summary>
internal readonly struct SlstmInputsSizes(OpCall call)
{
    /// <summary>Steps of all sequences.</summary>
    public int Rows { get; } = checked((int)(call.Size("B") * call.Size("L")));

    public int Heads { get; } = call.Count("H");

    /// <summary>Channels of a head.</summary>
    public int Dim { get; } = call.Count("D");

    /// <summary>Channels of a head, up to whole vectors.</summary>
    public int Padded => (Dim + Simd.Bits / 32 - 1) / (Simd.Bits / 32) * (Simd.Bits / 32);

    /// <summary>Channels of all heads.</summary>
    public int Width => Heads * Dim;

    /// <summary>Numbers of a gate's weights where rows are whole vectors.</summary>
    public long WeightsOfGate => (long)Heads * Dim * Padded;
}
