namespace Zoo.Files;

/// <summary>Writes files that appear whole or not at all: aside first, flushed to the disk, then renamed.</summary>
public static class AtomicFile
{
    /// <summary>Writes <paramref name="content"/> to <paramref name="path"/>.</summary>
    /// <exception cref="IOException">The disk is full or the folder is not writable; an older file is still as it was.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        var aside = Aside(path);
        try
        {
            using (var stream = new FileStream(aside, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                stream.Write(content);
                stream.Flush(flushToDisk: true);
            }
            File.Move(aside, path, overwrite: true);
        }
        catch
        {
            File.Delete(aside);
            throw;
        }
    }

    /// <summary>Writes <paramref name="text"/> as UTF-8 without a byte order mark.</summary>
    /// <exception cref="IOException">As <see cref="Write(string, ReadOnlySpan{byte})"/>.</exception>
    public static void Write(string path, string text) => Write(path, System.Text.Encoding.UTF8.GetBytes(text).AsSpan());

    /// <summary>Lets <paramref name="write"/> fill a stream that becomes <paramref name="path"/> when it returns.</summary>
    /// <exception cref="IOException">As <see cref="Write(string, ReadOnlySpan{byte})"/>.</exception>
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
        catch
        {
            File.Delete(aside);
            throw;
        }
    }

    private static string Aside(string path) => $"{path}.{Environment.ProcessId}.{Guid.NewGuid():N}.partial";
}
