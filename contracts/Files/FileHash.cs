using System.Security.Cryptography;

namespace Zoo.Files;

/// <summary>Checksums of files.</summary>
public static class FileHash
{
    private const int PartBytes = 1 << 16;

    /// <summary>The SHA-256 of a file, 64 hexadecimal digits in lower case.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellation">Asked between its parts.</param>
    /// <exception cref="BadFileException">It is missing or cannot be read.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static string Sha256(string path, CancellationToken cancellation = default)
    {
        try
        {
            const FileShare share = FileShare.ReadWrite | FileShare.Delete;
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, share, bufferSize: 0);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var part = new byte[PartBytes];
            while (stream.Read(part) is > 0 and var count)
            {
                cancellation.ThrowIfCancellationRequested();
                hash.AppendData(part, 0, count);
            }
            return Convert.ToHexStringLower(hash.GetHashAndReset());
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
