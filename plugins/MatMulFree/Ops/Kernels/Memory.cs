namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>Pointers that may be absent.</summary>
internal static unsafe class Memory
{
    /// <summary>So many elements further; null stays null.</summary>
    public static float* At(float* array, long offset) => array == null ? null : array + offset;
}
