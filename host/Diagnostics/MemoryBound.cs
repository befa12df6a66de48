using System.Runtime.InteropServices;
using TorchSharp;

namespace Zoo.Host.Diagnostics;

/// <summary>
/// Makes Linux refuse memory that is not there. Left alone it promises more than there is and kills the process when that is written to, without a word; a
/// refusal comes as an exception, which says what ran and what to lower.
/// </summary>
/// <remarks>
/// The bound is the resource limit on data. It counts private mappings that can be written, so also files mapped copy-on-write: it must not stand while
/// weights are read. CUDA reserves what it never uses, so it is for the processor only. Other systems stay as they are.
/// </remarks>
internal static partial class MemoryBound
{
    private const int Data = 2;                 // RLIMIT_DATA
    private const long Reserve = 64L << 20;     // the system's own tables, and pages of the program that must come back
    private const long Least = 64L << 20;       // what the runtime may need to end with a sentence
    private static readonly Lock Gate = new();
    private static Limit? _own;

    /// <summary>From now on as much more can be had as is available now.</summary>
    /// <param name="device">Where the arithmetic is; nothing happens where that is not the processor.</param>
    public static void Set(torch.Device device)
    {
        if (device.type != DeviceType.CPU || AvailableMemory.Now is not { } free || MemoryUse.Data is not { } taken)
            return;
        var more = Math.Max(free.Memory - free.Memory / 64 - Reserve, Least) + free.Swap;
        Use(own => Math.Min((ulong)(taken + more), own));
    }

    /// <summary>The limit is what it was when the program began.</summary>
    public static void Lift()
    {
        if (_own is not null)
            Use(own => own);
    }

    private static void Use(Func<ulong, ulong> choose)
    {
        lock (Gate)
        {
            if (GetLimit(Data, out var present) != 0)
                return;
            _own ??= present;
            present.Soft = choose(_own.Value.Soft);
            _ = SetLimit(Data, in present);     // where it is forbidden, all is as it would be without
        }
    }

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetLimit(int resource, out Limit limit);

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    private static partial int SetLimit(int resource, in Limit limit);

    private struct Limit
    {
        public ulong Soft;
        public ulong Hard;
    }
}
