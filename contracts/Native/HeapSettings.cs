using System.Runtime.InteropServices;

namespace Zoo.Native;

/// <summary>Keeps the memory of freed tensors in the process.</summary>
/// <remarks>
/// glibc gives large blocks back to the system when they are freed, and a page that comes back costs a fault when it is first written. A
/// tensor of 8 MB so takes longer to get than to fill: linear_scan's forward and backward ran 2 to 3 times slower among other operations.
/// Whoever sets glibc's own variables has the say.
/// </remarks>
internal static class HeapSettings
{
    private const int TrimThreshold = -1, MapThreshold = -3;   // M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of <malloc.h>
    private const int OwnMapping = 256 << 20, Kept = 1 << 30;
    private const int OldestLimit = 32 << 20;                  // what older versions of glibc take at most

    /// <summary>Blocks up to 256 MiB come from the heap, and up to 1 GiB of it stays when it is free. Nothing where the C library is another.</summary>
    public static void KeepFreedMemory()
    {
        if (!OperatingSystem.IsLinux() || IsSet("MALLOC_TRIM_THRESHOLD_") || IsSet("MALLOC_MMAP_THRESHOLD_") || IsSet("GLIBC_TUNABLES"))
            return;
        try
        {
            if (SetOption(MapThreshold, OwnMapping) == 0)
                SetOption(MapThreshold, OldestLimit);
            SetOption(TrimThreshold, Kept);
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            // Another C library, which has its own ways: nothing is wrong, and nothing to set.
        }
    }

    private static bool IsSet(string variable) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 };

    [DllImport("libc", EntryPoint = "mallopt")]
    private static extern int SetOption(int parameter, int value);
}
