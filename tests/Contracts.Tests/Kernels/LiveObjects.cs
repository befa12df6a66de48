using System.Collections;
using System.Globalization;
using System.Reflection;
using TorchSharp;
using Zoo.Kernels;

namespace Zoo.Tests.Kernels;

/// <summary>What exists in this process now: for tests that nothing grows.</summary>
/// <param name="Tensors">Live tensors.</param>
/// <param name="Nodes">Nodes of autograd that TorchSharp holds.</param>
/// <param name="ManagedBytes">What the collector's objects take, after a collection.</param>
/// <param name="NativeBytes">Resident memory beside the collector's heap, whose size moves by many MB; 0 where the system does not say.</param>
internal readonly record struct LiveObjects(long Tensors, int Nodes, long ManagedBytes, long NativeBytes)
{
    /// <summary>Counts.</summary>
    public static LiveObjects Now()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return new LiveObjects(Gradients.LiveTensors, NodeCount, GC.GetTotalMemory(false), Resident - GC.GetGCMemoryInfo().TotalCommittedBytes);
    }

    private static int NodeCount => ((ICollection)typeof(torch).Assembly.GetType("TorchSharp.torch+autograd+Node")!
        .GetField("AliveNodes", BindingFlags.NonPublic | BindingFlags.Static)!.GetValue(null)!).Count;

    private static long Resident => !OperatingSystem.IsLinux() ? GC.GetGCMemoryInfo().TotalCommittedBytes : long.Parse(File.ReadLines("/proc/self/status")
        .First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal))
        .Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
}
