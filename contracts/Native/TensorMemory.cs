using System.Runtime.InteropServices;
using TorchSharp;

namespace Zoo.Native;

/// <summary>Tensors on memory that libtorch did not allocate, and the memory behind tensors.</summary>
internal static unsafe class TensorMemory
{
    private static readonly nint Library = NativeLibrary.Load(LibTorch.Load().LibTorchSharpPath);

    // at::from_blob: data, deleter, sizes, axes, dtype twice, device type and index, requires_grad
    private static readonly delegate* unmanaged[Cdecl]<nint, nint, long*, int, sbyte, sbyte, int, int, byte, nint> New =
        (delegate* unmanaged[Cdecl]<nint, nint, long*, int, sbyte, sbyte, int, int, byte, nint>)
        NativeLibrary.GetExport(Library, "THSTensor_new");

    private static readonly delegate* unmanaged[Cdecl]<nint, nint> Data =
        (delegate* unmanaged[Cdecl]<nint, nint>)NativeLibrary.GetExport(Library, "THSTensor_data");

    /// <summary>A CPU tensor on borrowed memory.</summary>
    /// <param name="data">Its first element, aligned to the element's size.</param>
    /// <param name="release">Called with <paramref name="data"/> once, on any thread, when the last tensor on the memory is gone.</param>
    /// <param name="shape">Sizes; the memory is contiguous.</param>
    /// <param name="dtype">Element type.</param>
    public static torch.Tensor Borrow(nint data, delegate* unmanaged[Cdecl]<nint, void> release, long[] shape, torch.ScalarType dtype)
    {
        nint handle;
        fixed (long* sizes = shape)
            handle = New(data, (nint)release, sizes, shape.Length, (sbyte)dtype, (sbyte)dtype, 0, -1, 0);
        if (handle == 0)
            torch.CheckForErrors();
        return torch.Tensor.UnsafeCreateTensor(handle);
    }

    /// <summary>The first element of a contiguous CPU tensor. Keep the tensor alive while the pointer is used.</summary>
    public static nint Pointer(torch.Tensor tensor) => Data(tensor.Handle);
}
