using System.Security.Cryptography;

namespace Zoo.Files;

/// <summary>Checksums of files.</summary>
public static class FileHash
{
    /// <summary>The SHA-256 of a file, 64 hexadecimal digits in lower case.</summary>
    /// <exception cref="BadFileException">It is missing or cannot be read.</exception>
    public static string Sha256(string path)
    {
        try
        {
            const FileShare share = FileShare.ReadWrite | FileShare.Delete;
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, share, bufferSize: 1 << 16);
            return Convert.ToHexStringLower(SHA256.HashData(stream));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BadFileException($"There is no file '{path}'.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException($"'{path}' cannot be read: {FileTrouble.Words(e)}", e);
        }
    }
}
