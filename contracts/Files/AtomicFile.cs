using System.Runtime.ExceptionServices;

namespace Zoo.Files;

/// <summary>Writes files that appear whole or not at all: aside first, flushed to the disk, then renamed.</summary>
public static class AtomicFile
{
    /// <summary>Writes <paramref name="content"/> to <paramref name="path"/>.</summary>
    /// <exception cref="IOException">
    /// The disk is full, the folder is missing or not writable, or the path is a device; the message names <paramref name="path"/>. An older file is still as
    /// it was.
    /// </exception>
    public static void Write(string path, ReadOnlySpan<byte> content) => Write(path, content, forTheUserAlone: false);

    /// <summary>As <see cref="Write(string, ReadOnlySpan{byte})"/>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="content">All of it.</param>
    /// <param name="forTheUserAlone">Nobody else may read or write it, from its first byte on (where the system has permission bits).</param>
    internal static void Write(string path, ReadOnlySpan<byte> content, bool forTheUserAlone)
    {
        var aside = Aside(path);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None };
        if (forTheUserAlone && !OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            using (var stream = new FileStream(aside, options))
            {
                stream.Write(content);
                stream.Flush(flushToDisk: true);
            }
            File.Move(aside, path, overwrite: true);
        }
        catch (Exception e)
        {
            throw GiveUp(aside, path, e);
        }
    }

    /// <summary>Writes <paramref name="text"/> as UTF-8 without a byte order mark.</summary>
    /// <exception cref="IOException">As <see cref="Write(string, ReadOnlySpan{byte})"/>.</exception>
    public static void Write(string path, string text) => Write(path, System.Text.Encoding.UTF8.GetBytes(text).AsSpan());

    /// <summary>Lets <paramref name="write"/> fill a stream that becomes <paramref name="path"/> when it returns.</summary>
    /// <exception cref="IOException">
    /// As <see cref="Write(string, ReadOnlySpan{byte})"/>; other exceptions of <paramref name="write"/> pass as they are.
    /// </exception>
    public static void Write(string path, Action<Stream> write)
    {
        var aside = Aside(path);
        try
        {
            using (var stream = new FileStream(aside, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(aside, path, overwrite: true);
        }
        catch (Exception e)
        {
            throw GiveUp(aside, path, e);
        }
    }

    private static string Aside(string path)
    {
        // Root may rename a file onto /dev/null or /dev/stdout, and every other program would meet it there.
        if (!OperatingSystem.IsWindows() && File.Exists(path) && Path.GetFullPath(path) is var full && full.StartsWith("/dev/", StringComparison.Ordinal)
            && !full.StartsWith("/dev/shm/", StringComparison.Ordinal))
        {
            throw new IOException($"Could not write '{path}': it is a device, and the file would take its place.");
        }
        return $"{path}.{Guid.NewGuid():N}.partial";
    }

    /// <summary>Removes what was written aside, and gives the exception to throw.</summary>
    private static Exception GiveUp(string aside, string path, Exception e)
    {
        try
        {
            File.Delete(aside);
        }
        catch (Exception stays) when (stays is IOException or UnauthorizedAccessException)
        {
            // The first failure is the one to report; where the folder itself is missing or gone, there is nothing to remove.
        }
        // The last is .NET's word for a limit on the size of files.
        if (e is not (IOException or UnauthorizedAccessException or ArgumentOutOfRangeException { ParamName: "value" }))
            ExceptionDispatchInfo.Throw(e);
        var why = Directory.Exists(path) ? "it is a folder."
            : e is DirectoryNotFoundException ? $"the folder '{Path.GetDirectoryName(Path.GetFullPath(path))}' does not exist."
            : e is UnauthorizedAccessException ? $"the folder '{Path.GetDirectoryName(Path.GetFullPath(path))}' is not writable."
            : FileTrouble.Words(e).Replace(aside, path);
        return new IOException($"Could not write '{path}': {why}", e);
    }
}
