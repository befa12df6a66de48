using System.IO.MemoryMappedFiles;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using TorchSharp;
using Zoo.Native;

namespace Zoo.Files;

/// <summary>A file mapped copy-on-write, unmapped when its opener and the last tensor on it are gone.</summary>
internal sealed unsafe class FileMapping
{
    private static readonly Lock Gate = new();
    private static readonly Dictionary<nint, (FileMapping Mapping, int Tensors)> Borrowed = [];   // by a tensor's first byte
    private static int _live;

    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _start;
    private int _holders = 1;

    /// <summary>Maps the whole file.</summary>
    /// <exception cref="IOException">The system cannot map it.</exception>
    public FileMapping(SafeFileHandle file, long byteCount)
    {
        _file = MemoryMappedFile.CreateFromFile(file, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        try
        {
            _view = _file.CreateViewAccessor(0, byteCount, MemoryMappedFileAccess.CopyOnWrite);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        Interlocked.Increment(ref _live);
    }

    /// <summary>Mappings that are still there.</summary>
    public static int LiveCount => Volatile.Read(ref _live);

    /// <summary>A byte of the file in memory.</summary>
    public nint Address(long offset) => (nint)(_start + offset);

    /// <summary>A tensor on the file's bytes at an aligned, non-empty place; the mapping lives at least as long as it.</summary>
    public torch.Tensor Tensor(SafeTensorInfo info)
    {
        var address = Address(info.Offset);
        lock (Gate)
        {
            Borrowed[address] = (this, Borrowed.GetValueOrDefault(address).Tensors + 1);
            _holders++;
        }
        // Were this to fail, the mapping would stay: nobody can tell whether libtorch has called the release function by then.
        return TensorMemory.Borrow(address, &ReleaseTensor, [.. info.Shape], info.Dtype);
    }

    /// <summary>The opener has no more use for it.</summary>
    public void Release()
    {
        lock (Gate)
        {
            if (--_holders > 0)
                return;
        }
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
        Interlocked.Decrement(ref _live);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void ReleaseTensor(nint address)
    {
        FileMapping mapping;
        lock (Gate)
        {
            (mapping, var tensors) = Borrowed[address];
            if (tensors > 1)
                Borrowed[address] = (mapping, tensors - 1);
            else
                Borrowed.Remove(address);
        }
        mapping.Release();
    }
}
