using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Zoo.Host.Cli;

/// <summary>Standard output that fails when its reader is gone; .NET's own swallows that, and a command would write on for nobody.</summary>
internal static class WatchedOutput
{
    private const int BrokenPipe = 32;   // EPIPE, of Linux and of macOS

    /// <summary>Uses it, where standard output is a pipe.</summary>
    public static void Use()
    {
        if (OperatingSystem.IsWindows() || !Console.IsOutputRedirected)
            return;
        var stream = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        if (!stream.CanSeek)   // a file may have other writers, and a stream of its own would write over what they wrote
            Console.SetOut(new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true });
    }

    /// <summary>Whether writing failed because nobody reads any more.</summary>
    public static bool IsReaderGone(IOException e) => !OperatingSystem.IsWindows() && (e.HResult & 0xFFFF) == BrokenPipe;
}
