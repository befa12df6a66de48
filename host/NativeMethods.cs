using System.Runtime.InteropServices;

namespace Zoo.Host;

internal static partial class NativeMethods
{
    /// <summary>SIGTERM.</summary>
    public const int Terminate = 15;

    [LibraryImport("libc", EntryPoint = "kill")]
    public static partial int Kill(int process, int signal);

    /// <summary>Ends the process without its own clean-up.</summary>
    [LibraryImport("libc", EntryPoint = "_exit")]
    public static partial void ExitNow(int status);
}
