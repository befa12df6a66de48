namespace Zoo.Kernels.Cpu;

/// <summary>Pointers that may be absent: of optional arguments, and of gradients that are not wanted.</summary>
public static unsafe class Pointers
{
    /// <summary>So many elements further; null stays null.</summary>
    /// <param name="array">The first element, or null.</param>
    /// <param name="offset">In elements.</param>
    public static float* At(float* array, long offset) => array == null ? null : array + offset;
}
