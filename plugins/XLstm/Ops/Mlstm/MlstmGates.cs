using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.Mlstm;

/// <summary>What the gates of one chunk give, in the order of README.md beside this file: weights that are all at most 1.</summary>
/// <remarks>
/// F_t is the sum of log σ(f) since the chunk began, a_j = i_j - F_j, M_t = max(m before the chunk, max over j ≤ t of a_j), m_t = F_t + M_t.
/// Sums and differences are in float64: gates of ±10⁴ leave nothing of float32 after a few steps. What is exponentiated enters as a pair of
/// float32, so that whole vectors of differences are as exact.
/// </remarks>
internal unsafe struct MlstmGates
{
    private const float LowestLogForget = -1e6f;    // below, the state is gone all the same
    private const double LowestState = -1e30;       // an m of -∞ and an input gate of -∞ are numbers, the gate the smaller one
    private const double LowestInput = -2e30;
    private const float LargestFloor = 80;          // e^80 in a denominator is as good as ∞, and does not make NaN of 0

    private readonly float* _logForget;
    private readonly double* _input;                // i, or what is left of it

    /// <summary>a_j in two parts, [chunk].</summary>
    public readonly float* InputHigh, InputLow;

    /// <summary>M_t in two parts, [chunk].</summary>
    public readonly float* RowHigh, RowLow;

    /// <summary>exp(m before - M_t): how much of the state before the chunk a step sees, [chunk].</summary>
    public readonly float* StateWeight;

    /// <summary>exp(a_j - M at the end): how much of a key is in the state after the chunk, [chunk].</summary>
    public readonly float* KeyWeight;

    /// <summary>exp(-m_t): the least denominator, [chunk].</summary>
    public readonly float* Least;

    /// <summary>Whether m_t is the input gate's, 1, or the forgotten one's, 0, [chunk].</summary>
    public readonly float* FromInput;

    /// <summary>How much of the state before the chunk is left after it.</summary>
    public float Decay { get; private set; }

    /// <summary>m after the chunk.</summary>
    public double Last { get; private set; }

    /// <summary>How many arrays it takes.</summary>
    public const int Parts = 11;

    /// <param name="scratch">Room for <see cref="Parts"/> arrays.</param>
    /// <param name="padded">Steps of a chunk, as whole vectors.</param>
    public MlstmGates(ThreadScratch scratch, int padded)
    {
        _logForget = scratch.Take(padded);
        _input = (double*)scratch.Take(2L * padded);
        InputHigh = scratch.Take(padded);
        InputLow = scratch.Take(padded);
        RowHigh = scratch.Take(padded);
        RowLow = scratch.Take(padded);
        StateWeight = scratch.Take(padded);
        KeyWeight = scratch.Take(padded);
        Least = scratch.Take(padded);
        FromInput = scratch.Take(padded);
    }

    /// <summary>How many floats it takes.</summary>
    public static long Size(int padded) => (Parts + 1L) * padded;

    /// <summary>Reckons a chunk.</summary>
    /// <param name="input">i, [chunk].</param>
    /// <param name="forget">f, [chunk].</param>
    /// <param name="count">Steps.</param>
    /// <param name="padded">Steps as whole vectors.</param>
    /// <param name="before">m before the chunk.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Fill<V>(float* input, float* forget, int count, int padded, double before)
        where V : struct, ILanes<V>
    {
        before = Math.Max(before, LowestState);
        var logForget = _logForget;
        new Span<float>(forget, count).CopyTo(new Span<float>(logForget, count));
        new Span<float>(logForget + count, padded - count).Clear();
        for (var t = 0; t < padded; t += V.Count)
            V.Max(-VectorMath.Softplus(V.Max(-V.Load(logForget + t), V.Create(LowestLogForget))), V.Create(LowestLogForget)).Store(logForget + t);
        var (sum, row) = (0.0, before);
        var last = 0.0;
        for (var t = 0; t < count; t++)
        {
            sum += logForget[t];
            var a = Math.Max(input[t], LowestInput) - sum;
            FromInput[t] = a >= row ? 1 : 0;
            row = Math.Max(row, a);
            _input[t] = a;
            (InputHigh[t], InputLow[t]) = Split(a);
            (RowHigh[t], RowLow[t]) = Split(row);
            StateWeight[t] = (float)(before - row);
            Least[t] = (float)Math.Min(LargestFloor, -(sum + row));
            last = sum + row;
        }
        for (var t = 0; t < count; t++)
            KeyWeight[t] = (float)(_input[t] - row);
        for (var t = count; t < padded; t++)
            KeyWeight[t] = StateWeight[t] = Least[t] = InputHigh[t] = InputLow[t] = RowHigh[t] = RowLow[t] = 0;
        for (var t = 0; t < padded; t += V.Count)
        {
            VectorMath.Exp(V.Load(StateWeight + t)).Store(StateWeight + t);
            VectorMath.Exp(V.Load(KeyWeight + t)).Store(KeyWeight + t);
            VectorMath.Exp(V.Load(Least + t)).Store(Least + t);
        }
        Decay = (float)Math.Exp(before - row);
        Last = last;
    }

    /// <summary>exp(a_j - M_t) for a vector of j.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly V Weights<V>(int j, V rowHigh, V rowLow)
        where V : struct, ILanes<V> => VectorMath.Exp(V.Load(InputHigh + j) - rowHigh + (V.Load(InputLow + j) - rowLow));

    private static (float High, float Low) Split(double value)
    {
        var high = (float)value;
        return (high, (float)(value - high));
    }
}
