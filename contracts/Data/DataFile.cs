using System.Buffers.Binary;
using System.IO.Compression;
using Zoo.Files;

namespace Zoo.Data;

/// <summary>A data file read from start to end, unpacked on the way where it is gzip (told by its content, not its name).</summary>
internal sealed class DataFile : IDisposable
{
    private const int DeflateRatio = 1032;   // the most bytes that one packed byte can stand for

    private readonly FileStream _file;
    private readonly Stream _content;
    private long _position;

    /// <exception cref="BadFileException">The file is missing or cannot be read.</exception>
    public DataFile(string path)
    {
        Path = path;
        try
        {
            _file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BadFileException($"'{path}' does not exist; check the path.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException(Directory.Exists(path)
                ? $"'{path}' is a folder; name a file."
                : $"'{path}' cannot be read: {FileTrouble.Words(e)}", e);
        }
        try
        {
            IsPacked = _file.ReadByte() == 0x1f && _file.ReadByte() == 0x8b;
            _file.Position = 0;
        }
        catch (Exception e) when (e is IOException or NotSupportedException)
        {
            _file.Dispose();
            throw new BadFileException($"'{path}' cannot be read: {FileTrouble.Words(e)}", e);
        }
        _content = IsPacked ? new GZipStream(_file, CompressionMode.Decompress) : _file;
    }

    public string Path { get; }

    /// <summary>Whether the file is gzip.</summary>
    public bool IsPacked { get; }

    /// <summary>Bytes of the file as it is stored.</summary>
    public long StoredBytes => _file.Length;

    /// <summary>No file of this stored size can unpack to more: what claims more is refused before anything is allocated.</summary>
    public long MostBytes => IsPacked ? StoredBytes * DeflateRatio : StoredBytes;

    /// <summary>Fills the buffer as far as the content goes.</summary>
    /// <returns>Bytes read; fewer than the buffer has only at the end.</returns>
    /// <exception cref="BadFileException">The packed data are damaged or end too early.</exception>
    public int Read(Span<byte> buffer)
    {
        try
        {
            var count = _content.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            _position += count;
            if (IsPacked && count < buffer.Length && PromisedBytes() != (uint)_position)
                throw Damaged(inner: null);
            return count;
        }
        catch (InvalidDataException e)
        {
            throw Damaged(e);
        }
        catch (IOException e)
        {
            throw new BadFileException($"'{Path}' cannot be read: {FileTrouble.Words(e)}", e);
        }
    }

    /// <summary>
    /// The unpacked size modulo 2³² that gzip keeps in its last four bytes. GZipStream takes the end of a truncated file for the end of
    /// the content and says nothing, so this is what tells.
    /// </summary>
    private uint PromisedBytes()
    {
        Span<byte> last = stackalloc byte[sizeof(uint)];
        var read = StoredBytes < last.Length ? 0 : RandomAccess.Read(_file.SafeFileHandle, last, StoredBytes - last.Length);
        return read == last.Length ? BinaryPrimitives.ReadUInt32LittleEndian(last) : uint.MaxValue;
    }

    private BadFileException Damaged(Exception? inner) =>
        new($"'{Path}' is damaged: its gzip data break off or go wrong after about {_position:N0} unpacked bytes; get it again.", inner);

    public void Dispose()
    {
        _content.Dispose();
        _file.Dispose();
    }
}
