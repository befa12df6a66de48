using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>One tensor of an update, or a piece of one, as raw memory. What the rule or the call does not have is null.</summary>
internal unsafe struct UpdateEntry
{
    /// <summary>How many numbers.</summary>
    public long Count;

    /// <summary>What is updated.</summary>
    public float* Value;

    /// <summary>float32, or bfloat16.</summary>
    public void* Gradient;

    /// <summary>Whether <see cref="Gradient"/> is bfloat16.</summary>
    public bool IsBFloat16;

    /// <summary>The first state tensor.</summary>
    public float* First;

    /// <summary>The second.</summary>
    public float* Second;

    /// <summary>The bfloat16 copy that is written.</summary>
    public ushort* Copy;

    /// <summary>Its rate.</summary>
    public double LearningRate;

    /// <summary>Its weight decay.</summary>
    public double WeightDecay;

    /// <summary>Pieces of the tensors before it in the list.</summary>
    public int PiecesBefore;

    /// <summary>Some of its numbers.</summary>
    public readonly UpdateEntry Piece(long first, long count) => this with
    {
        Count = count,
        Value = Value + first,
        Gradient = IsBFloat16 ? (ushort*)Gradient + first : (float*)Gradient + first,
        First = First == null ? null : First + first,
        Second = Second == null ? null : Second + first,
        Copy = Copy == null ? null : Copy + first,
    };

    /// <summary>A vector of the gradient.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadGradient<V>(void* gradient, bool isBFloat16, long index)
        where V : struct, ILanes<V> => isBFloat16 ? V.LoadBFloat16((ushort*)gradient + index) : V.Load((float*)gradient + index);
}
