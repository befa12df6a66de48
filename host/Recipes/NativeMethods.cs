using System.Runtime.InteropServices;

namespace Zoo.Host.Recipes;

internal static partial class NativeMethods
{
    /// <summary>SIGTERM.</summary>
    public const int Terminate = 15;

    [LibraryImport("libc", EntryPoint = "kill")]
    public static partial int Kill(int process, int signal);
}
