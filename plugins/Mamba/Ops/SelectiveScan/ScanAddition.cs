using Zoo.Kernels.Cpu;

namespace Zoo.Mamba.Ops.SelectiveScan;

/// <summary>target += source.</summary>
internal unsafe struct ScanAddition : ISimdKernel
{
    public float* Target, Source;
    public long Count;

    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        long i = 0;
        for (; i + V.Count <= Count; i += V.Count)
            (V.Load(Target + i) + V.Load(Source + i)).Store(Target + i);
        for (; i < Count; i++)
            Target[i] += Source[i];
    }
}
