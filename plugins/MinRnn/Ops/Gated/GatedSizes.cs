using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>Sizes of a scan: time runs through every sequence, and each dimension is on its own.</summary>
/// <param name="Batch">Sequences; 1 where time is the first axis, because rows of all sequences then lie side by side.</param>
/// <param name="Length">Steps.</param>
/// <param name="Dims">Dimensions of a step.</param>
internal readonly record struct GatedSizes(int Batch, int Length, int Dims)
{
    /// <summary>[batch, time, dim].</summary>
    public static GatedSizes BatchFirst(OpCall call) => new(call.Count("B"), call.Count("L"), call.Count("D"));

    /// <summary>[time, batch, dim].</summary>
    public static GatedSizes TimeFirst(OpCall call) => new(1, call.Count("L"), checked(call.Count("B") * call.Count("D")));

    /// <summary>How many elements an array has.</summary>
    public double Elements => (double)Batch * Length * Dims;

    /// <summary>Runs <paramref name="piece"/> (batch, first dimension, count) for all dimensions of all sequences.</summary>
    public void Share(Action<int, int, int> piece) => ScanShare.For(Batch, Length, Dims, piece);
}
