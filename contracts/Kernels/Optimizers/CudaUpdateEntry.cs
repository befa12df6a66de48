using System.Runtime.InteropServices;

namespace Zoo.Kernels;

/// <summary>One tensor of an update as the kernels of Optimizers.cu read it; `Entry` there has the same fields.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly unsafe struct CudaUpdateEntry(in UpdateEntry entry, UpdateFactors factors, int piecesBefore)
{
    private readonly nint _value = (nint)entry.Value;
    private readonly nint _gradient = (nint)entry.Gradient;
    private readonly nint _first = (nint)entry.First;
    private readonly nint _second = (nint)entry.Second;
    private readonly nint _copy = (nint)entry.Copy;
    private readonly long _count = entry.Count;
    private readonly int _piecesBefore = piecesBefore;
    private readonly int _isBFloat16 = entry.IsBFloat16 ? 1 : 0;
    private readonly UpdateFactors _factors = factors;
}
