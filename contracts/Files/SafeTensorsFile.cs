using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using TorchSharp;
using Zoo.Native;

namespace Zoo.Files;

/// <summary>Reads a safetensors file: the header at once, tensors without copying.</summary>
/// <remarks>
/// Tensors lie on the mapped file: opening gigabytes takes no time, and what is never read is never loaded. The mapping is
/// copy-on-write, so changing a tensor changes memory, never the file; loading one name twice gives two tensors on the same memory. A
/// tensor is copied instead where its data are not aligned to its element size, which only some other writers' files have. Tensors
/// outlive the reader. While they live the file may be replaced (as <see cref="AtomicFile"/> does) but must not be cut short in place.
/// Opening does not touch libtorch; loading does.
/// </remarks>
public sealed class SafeTensorsFile : IDisposable
{
    private readonly SafeFileHandle _file;
    private readonly long _byteCount;
    private readonly SafeTensorsHeader _header;
    private readonly Lock _gate = new();
    private FileMapping? _mapping;
    private bool _disposed;

    private SafeTensorsFile(string path, SafeFileHandle file, long byteCount, SafeTensorsHeader header)
    {
        Path = path;
        _file = file;
        _byteCount = byteCount;
        _header = header;
    }

    /// <summary>The file, as it was opened.</summary>
    public string Path { get; }

    /// <summary>The header's free text, by key.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _header.Metadata;

    /// <summary>Every tensor, in the header's order.</summary>
    public IReadOnlyList<SafeTensorInfo> Tensors => _header.Tensors.Values;

    /// <summary>The names of the tensors, in the header's order.</summary>
    public IReadOnlyList<string> Names => _header.Tensors.Keys;

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="BadFileException">It is missing, foreign, cut short or malformed; the message names it and what is wrong.</exception>
    public static SafeTensorsFile Open(string path)
    {
        var file = OpenHandle(path);
        try
        {
            var byteCount = RandomAccess.GetLength(file);
            return new SafeTensorsFile(path, file, byteCount, ReadHeader(path, file, byteCount));
        }
        catch (IOException e)
        {
            file.Dispose();
            throw new BadFileException($"'{path}' cannot be read: {FileTrouble.Words(e)}", e);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The tensor's description, or null when the file has none of that name.</summary>
    public SafeTensorInfo? Find(string name) => _header.Tensors.GetValueOrDefault(name);

    /// <summary>A tensor on the CPU. The caller disposes it.</summary>
    /// <exception cref="BadFileException">The file has no tensor of that name, or its data cannot be of its dtype.</exception>
    /// <exception cref="EnvironmentException">The file cannot be mapped into memory.</exception>
    public torch.Tensor Load(string name) => Load(Find(name) ?? throw new BadFileException(
        $"'{Path}' has no tensor {SafeTensorsHeader.Quote(name)}.{Zoo.Names.DidYouMean(name, Names)}"));

    /// <summary>Every tensor, in the header's order, as <see cref="Load(string)"/> gives it.</summary>
    /// <exception cref="BadFileException">As <see cref="Load(string)"/>.</exception>
    /// <exception cref="EnvironmentException">As <see cref="Load(string)"/>.</exception>
    public NamedTensors LoadAll()
    {
        var tensors = new NamedTensors();
        try
        {
            foreach (var info in Tensors)
                tensors.Add(info.Name, Load(info));
        }
        catch
        {
            foreach (var tensor in tensors.Values)
                tensor.Dispose();
            throw;
        }
        return tensors;
    }

    /// <summary>Closes the file. Tensors that were loaded stay as they are.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            _mapping?.Release();
            _file.Dispose();
        }
    }

    private torch.Tensor Load(SafeTensorInfo info)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (info.ByteCount == 0)
                return torch.empty([.. info.Shape], info.Dtype);
            _mapping ??= Map();
            var address = _mapping.Address(info.Offset);
            if (info.Dtype == torch.ScalarType.Bool)
                RequireBooleans(info, address);
            return address % SafeTensorsDtypes.Size(info.Dtype) == 0 ? _mapping.Tensor(info) : Copy(info, address);
        }
    }

    private FileMapping Map()
    {
        if (RandomAccess.GetLength(_file) < _byteCount)
            throw new BadFileException($"'{Path}' was cut short while it was open. Fetch or write it again.");
        try
        {
            return new FileMapping(_file, _byteCount);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or OutOfMemoryException)
        {
            throw new EnvironmentException($"'{Path}' ({_byteCount} bytes) cannot be mapped into memory: {FileTrouble.Words(e)}", e);
        }
    }

    /// <summary>Any other byte than 0 and 1 in a boolean tensor is undefined behaviour in libtorch.</summary>
    private unsafe void RequireBooleans(SafeTensorInfo info, nint address)
    {
        for (var done = 0L; done < info.ByteCount; done += 1 << 30)
        {
            var part = new ReadOnlySpan<byte>((byte*)address + done, (int)Math.Min(info.ByteCount - done, 1 << 30));
            if (part.IndexOfAnyExceptInRange((byte)0, (byte)1) is >= 0 and var at)
            {
                var tensor = SafeTensorsHeader.Quote(info.Name);
                throw Malformed(Path, $"tensor {tensor} is BOOL and has the byte {part[at]} at {info.Offset + done + at}");
            }
        }
    }

    private static unsafe torch.Tensor Copy(SafeTensorInfo info, nint address)
    {
        var copy = torch.empty([.. info.Shape], info.Dtype);
        Buffer.MemoryCopy((void*)address, (void*)TensorMemory.Pointer(copy), info.ByteCount, info.ByteCount);
        GC.KeepAlive(copy);
        return copy;
    }

    private static SafeFileHandle OpenHandle(string path)
    {
        if (Directory.Exists(path))
            throw new BadFileException($"'{path}' is a folder, not a safetensors file.");
        try
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BadFileException($"There is no file '{path}'.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new BadFileException($"'{path}' cannot be opened: {FileTrouble.Words(e)}", e);
        }
    }

    private static SafeTensorsHeader ReadHeader(string path, SafeFileHandle file, long byteCount)
    {
        if (byteCount < sizeof(long))
            throw Malformed(path, $"it has {byteCount} bytes, and the length of its header alone takes 8");
        Span<byte> start = stackalloc byte[32];
        start = start[..RandomAccess.Read(file, start, 0)];
        var headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(start);
        if (headerBytes > (ulong)Math.Min(byteCount - sizeof(long), SafeTensorsHeader.MaximumBytes))
        {
            throw ForeignFile.Describe(path, start) is { } foreign
                ? new BadFileException($"'{path}' is no safetensors file: {foreign}.")
                : Malformed(path, headerBytes > SafeTensorsHeader.MaximumBytes
                    ? $"its first 8 bytes announce a header of {headerBytes} bytes; at most {SafeTensorsHeader.MaximumBytes} are allowed"
                    : $"its header should have {headerBytes} bytes, and only {byteCount - sizeof(long)} follow; it was cut short");
        }
        if (headerBytes < 2)
            throw Malformed(path, $"its header has {headerBytes} bytes, and the shortest is '{{}}'");
        var json = new byte[headerBytes];
        for (var done = 0; done < json.Length;)
        {
            var read = RandomAccess.Read(file, json.AsSpan(done), sizeof(long) + done);
            if (read == 0)
                throw Malformed(path, "it was cut short while it was read");
            done += read;
        }
        try
        {
            return SafeTensorsHeader.Parse(json, sizeof(long) + json.Length, byteCount - sizeof(long) - json.Length);
        }
        catch (FormatException e)
        {
            throw Malformed(path, e.Message, e);
        }
    }

    private static BadFileException Malformed(string path, string what, Exception? inner = null) =>
        new($"'{path}' is not a valid safetensors file: {what}. Fetch or write it again.", inner);
}
