using TorchSharp;
using Zoo.Kernels.Cpu;

namespace Zoo.Host.Training;

/// <summary>How many threads the arithmetic uses: libtorch's operations and our kernels alike, which run one after the other.</summary>
internal static class Threads
{
    /// <summary>Sets it for the whole process. libtorch must be loaded.</summary>
    public static void Use(int count)
    {
        torch.set_num_threads(count);
        WorkShare.Threads = count;
    }
}
