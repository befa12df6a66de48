using System.Security.Cryptography;
using System.Text;
using Zoo.Files;
using Zoo.Native;

namespace Zoo.Kernels.Cuda;

/// <summary>
/// Compiled kernels on disk, in a folder of the user's own. A file is named by the hash of all that its content depends on, begins with the
/// hash of that content, and appears whole or not at all: several processes may write the same one at once.
/// </summary>
internal static class CubinCache
{
    public const string FolderName = "cubin";

    private const string Ending = ".cubin";
    private const string Version = "1";                       // of this file format
    private static readonly TimeSpan Unused = TimeSpan.FromDays(180);
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(1);

    /// <summary>The name for a source, its headers, and how it is compiled.</summary>
    public static string Key(CudaSource source, IEnumerable<string> how)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var text in (string[])[Version, .. how, source.Text, .. source.Headers.SelectMany(h => (string[])[h.Key, h.Value])])
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            hash.AppendData(BitConverter.GetBytes((long)bytes.Length));   // so that no text can run into the next
            hash.AppendData(bytes);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>What was kept under a key; null where there is nothing, or something damaged.</summary>
    /// <exception cref="EnvironmentException">The folder is not the user's own.</exception>
    public static byte[]? Find(string key)
    {
        var path = PathOf(key);
        try
        {
            var content = File.ReadAllBytes(path);
            if (content.Length <= SHA256.HashSizeInBytes)
                return null;
            var image = content.AsSpan(SHA256.HashSizeInBytes);
            if (!SHA256.HashData(image).AsSpan().SequenceEqual(content.AsSpan(0, SHA256.HashSizeInBytes)))
                return null;
            if (DateTime.UtcNow - File.GetLastWriteTimeUtc(path) > Abandoned)
                File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
            return image.ToArray();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;   // not there, or just being cleaned up: it is compiled again
        }
    }

    /// <summary>Keeps an image. A disk that is full costs the next process another compilation, and this one nothing.</summary>
    /// <exception cref="EnvironmentException">The folder is not the user's own.</exception>
    public static void Keep(string key, byte[] image)
    {
        var path = PathOf(key);
        try
        {
            AtomicFile.Write(path, [.. SHA256.HashData(image), .. image], forTheUserAlone: true);
            CleanUp(Path.GetDirectoryName(path)!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    /// <summary>The folder, how many files it holds, and their bytes.</summary>
    /// <exception cref="EnvironmentException">The folder is not the user's own, or cannot be read.</exception>
    public static (string Folder, int Count, long Bytes) Describe()
    {
        var folder = UserCache.Folder(FolderName);
        try
        {
            var files = new DirectoryInfo(folder).EnumerateFiles("*" + Ending).ToList();
            return (folder, files.Count, files.Sum(f => f.Length));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new EnvironmentException($"The cache folder '{folder}' cannot be read: {FileTrouble.Words(e)}", e);
        }
    }

    private static string PathOf(string key) => Path.Combine(UserCache.Folder(FolderName), key + Ending);

    /// <summary>Removes what nobody has used for half a year, and what a process that was killed left behind.</summary>
    private static void CleanUp(string folder)
    {
        foreach (var file in new DirectoryInfo(folder).EnumerateFiles())
        {
            if (DateTime.UtcNow - file.LastWriteTimeUtc > (file.Extension == Ending ? Unused : Abandoned))
                file.Delete();
        }
    }
}
