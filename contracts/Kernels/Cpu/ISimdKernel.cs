namespace Zoo.Kernels.Cpu;

/// <summary>A kernel written once for every vector width.</summary>
public interface ISimdKernel
{
    /// <summary>Does the work with vectors of type <typeparamref name="V"/>.</summary>
    /// <typeparam name="V">The width.</typeparam>
    void Run<V>()
        where V : struct, ILanes<V>;
}
