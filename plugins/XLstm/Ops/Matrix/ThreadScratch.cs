using System.Runtime.InteropServices;

namespace Zoo.XLstm.Ops.Matrix;

/// <summary>Memory for what a kernel keeps in cache while it works: one a thread, used again by the next call, so that no page is faulted in twice.</summary>
internal sealed unsafe class ThreadScratch
{
    private const int Alignment = 16;       // floats in a cache line, and in the widest vector

    [ThreadStatic]
    private static ThreadScratch? _own;

    private float* _memory;
    private long _size;
    private long _used;

    private ThreadScratch()
    {
    }

    ~ThreadScratch() => NativeMemory.AlignedFree(_memory);

    /// <summary>This thread's, emptied, with room for <paramref name="size"/> floats in <paramref name="parts"/> parts.</summary>
    public static ThreadScratch Of(long size, int parts)
    {
        var own = _own ??= new ThreadScratch();
        size += parts * Alignment;
        own._used = 0;
        if (own._size >= size)
            return own;
        NativeMemory.AlignedFree(own._memory);
        own._size = 0;
        own._memory = (float*)NativeMemory.AlignedAlloc((nuint)size * sizeof(float), Alignment * sizeof(float));
        own._size = size;
        return own;
    }

    /// <summary>The next <paramref name="count"/> floats, aligned; they hold anything.</summary>
    public float* Take(long count)
    {
        var start = _used;
        _used += (count + Alignment - 1) / Alignment * Alignment;
        return _used <= _size ? _memory + start : throw new InvalidOperationException($"A kernel took {_used} floats of scratch and asked for {_size}.");
    }
}
