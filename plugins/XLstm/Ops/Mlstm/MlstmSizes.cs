using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.XLstm.Ops.Mlstm;

/// <summary>The sizes of a call and of its chunks; "padded" ones are whole vectors.</summary>
/// <param name="Sequences">Batch times heads: what threads share.</param>
/// <param name="Length">Time.</param>
/// <param name="KeyDim">D, the width of queries and keys.</param>
/// <param name="ValueDim">E, the width of values.</param>
/// <param name="Chunk">Steps of a chunk.</param>
internal readonly record struct MlstmSizes(int Sequences, int Length, int KeyDim, int ValueDim, int Chunk)
{
    /// <summary>
    /// Steps of a chunk unless the option says otherwise. Of 32, 48, 64, 96 and 128 none was faster beyond the noise of the machine; 96 and 128 were slower.
    /// </summary>
    public const int BestChunk = 64;

    public int ChunkCount => (Length + Chunk - 1) / Chunk;

    public int PaddedChunk => Padded(Chunk);

    public int PaddedKeyDim => Padded(KeyDim);

    public int PaddedValueDim => Padded(ValueDim);

    /// <summary>Floats of one saved state: a matrix with padded rows.</summary>
    public long StateSize => (long)KeyDim * PaddedValueDim;

    public static MlstmSizes Of(OpCall call)
    {
        var length = call.Count("L");
        var wanted = Mlstm.ChunkSize(call.Options);
        return new(checked(call.Count("B") * call.Count("H")), length, call.Count("D"), call.Count("E"),
            Math.Max(1, Math.Min(length, wanted > 0 ? wanted : BestChunk)));
    }

    private static int Padded(int count)
    {
        var lanes = Simd.Bits / 32;
        return (count + lanes - 1) / lanes * lanes;
    }
}
