using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.Slstm;

/// <summary>The sizes of a call, and how its sequences are grouped: a group's steps are taken together, so that the recurrent weights serve all its rows.</summary>
/// <param name="Batch">Sequences.</param>
/// <param name="Heads">Heads.</param>
/// <param name="Length">Time.</param>
/// <param name="Dim">D, the width of a head.</param>
/// <param name="GroupRows">Sequences of a group.</param>
internal readonly unsafe record struct SlstmSizes(int Batch, int Heads, int Length, int Dim, int GroupRows)
{
    /// <summary>What a step keeps for its backward: i', f', z, o, σ(-f), c and n.</summary>
    public const int Kept = 7;

    private const int MostRows = 16;
    private const int FewestRows = 4;
    private const long WeightsTogether = 1 << 16;       // floats of recurrent weights: half of a second cache of 512 KB

    public int Groups => (Batch + GroupRows - 1) / GroupRows;

    /// <summary>Heads that the forward takes together: all, unless threads need the pieces, or the heads' recurrent weights together leave the second cache.</summary>
    public int HeadsTogether => Groups < WorkShare.Threads || 4L * Heads * Dim * Padded > WeightsTogether ? 1 : Heads;

    /// <summary>D as whole vectors.</summary>
    public int Padded
    {
        get
        {
            var lanes = Simd.Bits / 32;
            return (Dim + lanes - 1) / lanes * lanes;
        }
    }

    /// <summary>Width of a time step in x.</summary>
    public long InputStride => 4L * Heads * Dim;

    public static SlstmSizes Of(OpCall call)
    {
        int batch = call.Count("B"), heads = call.Count("H");
        var rows = MostRows;
        while (rows > FewestRows && heads * ((batch + rows - 1) / rows) < WorkShare.Threads)
            rows /= 2;
        return new(batch, heads, call.Count("L"), call.Count("D"), rows);
    }

    /// <summary>Where a step's block lies among what is kept: [head, group, time, what, row of the group, padded dim].</summary>
    public long Block(int head, int first, int rows, int t) => (((long)head * Batch + first) * Length + (long)t * rows) * Kept * Padded;

    /// <summary>Numbers of one part of the state: y, c, n or m.</summary>
    public long StatePart => (long)Batch * Heads * Dim;

    /// <summary>A part of some sequences' state for one head, into padded rows; zero where there is none.</summary>
    public void LoadState(float* state, int part, int head, int first, int rows, float* target)
    {
        for (var row = 0; row < rows; row++)
        {
            var from = state == null ? null : state + part * StatePart + ((long)(first + row) * Heads + head) * Dim;
            Rows.Load(from, 1, Dim, target + (long)row * Padded, Padded);
        }
    }

    /// <summary>The way back.</summary>
    public void StoreState(float* source, int part, int head, int first, int rows, float* state)
    {
        for (var row = 0; row < rows; row++)
            Rows.Store(source + (long)row * Padded, 1, Dim, Padded, state + part * StatePart + ((long)(first + row) * Heads + head) * Dim);
    }
}
