using System.Runtime.InteropServices;

namespace Zoo.CudaEmulation;

/// <summary>The emulated card's memory: one range of addresses, with a gap after each allocation, and a map that says which bytes are somebody's.</summary>
internal sealed unsafe class EmulatorMemory
{
    private const long Reserved = 16L << 30;      // addresses only: pages come when they are touched
    private const int Alignment = 256;            // as the driver aligns
    private const int Gap = 4096;
    private const int CellBytes = 8;              // of memory for each byte of the map

    private readonly SortedList<nint, long> _allocations = [];
    private nint _next;

    public EmulatorMemory()
    {
        Start = Reserve(Reserved);
        Shadow = Reserve(Reserved / CellBytes);
        _next = Start + Gap;
    }

    /// <summary>The one memory of this process, because a process has addresses to spare, and kernels of several .cu files share it.</summary>
    public static EmulatorMemory Shared { get; } = new();

    public nint Start { get; }

    public long Bytes => Reserved;

    /// <summary>How many bytes of each 8, from the first on, are somebody's.</summary>
    public nint Shadow { get; }

    /// <summary>Allocations that have not been freed.</summary>
    public int Count
    {
        get
        {
            lock (_allocations)
                return _allocations.Count;
        }
    }

    public nint Allocate(long bytes)
    {
        lock (_allocations)
        {
            if (_allocations.Count == 0)
                _next = Start + Gap;
            var memory = (_next + Alignment - 1) / Alignment * Alignment;
            if (bytes > Start + Reserved - Gap - memory)
                throw new EnvironmentException($"The emulated card has not {bytes:N0} bytes of memory left.");
            _next = memory + (nint)bytes + Gap;
            _allocations.Add(memory, bytes);
            Map(memory, bytes, allowed: true);
            return memory;
        }
    }

    public void Free(nint memory)
    {
        lock (_allocations)
        {
            if (!_allocations.Remove(memory, out var bytes))
                throw new InvalidOperationException("Memory is freed that is not allocated.");
            Map(memory, bytes, allowed: false);
        }
    }

    /// <summary>The allocation at or before an address.</summary>
    public (nint Memory, long Bytes)? Nearest(nint address)
    {
        lock (_allocations)
        {
            for (var i = _allocations.Count - 1; i >= 0; i--)
            {
                if (_allocations.Keys[i] <= address)
                    return (_allocations.Keys[i], _allocations.Values[i]);
            }
            return null;
        }
    }

    /// <summary>Requires that a range lies within one allocation.</summary>
    public void Require(nint memory, long bytes)
    {
        if (bytes > 0 && (Nearest(memory) is not { } home || memory + bytes > home.Memory + home.Bytes))
            throw new EmulationFaultException($"{bytes} bytes are copied or filled that are no allocation's.");
    }

    private void Map(nint memory, long bytes, bool allowed)
    {
        var cells = new Span<byte>((byte*)Shadow + (memory - Start) / CellBytes, checked((int)((bytes + CellBytes - 1) / CellBytes)));
        cells.Fill(allowed ? (byte)CellBytes : (byte)0);
        if (allowed && bytes % CellBytes != 0)
            cells[^1] = (byte)(bytes % CellBytes);
    }

    private static nint Reserve(long bytes)
    {
        const int readWrite = 3, privateAnonymousNoReserve = 0x2 | 0x20 | 0x4000;
        var memory = MapMemory(0, (nint)bytes, readWrite, privateAnonymousNoReserve, -1, 0);
        return memory != -1 ? memory : throw new EnvironmentException($"The system gives no {bytes >> 30} GiB of addresses.");
    }

    [DllImport("libc", EntryPoint = "mmap")]
    private static extern nint MapMemory(nint address, nint length, int protection, int flags, int file, nint offset);
}
