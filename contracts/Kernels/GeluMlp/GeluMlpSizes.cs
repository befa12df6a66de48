using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Sizes of a call of `gelu_mlp`.</summary>
internal readonly struct GeluMlpSizes(OpCall call)
{
    /// <summary>Rows of x.</summary>
    public int Rows { get; } = checked((int)(call.Size("B") * call.Size("L")));

    /// <summary>Columns of x.</summary>
    public int Dim { get; } = call.Count("D");

    /// <summary>Numbers between the two products.</summary>
    public int Hidden { get; } = call.Count("H");

    /// <summary>Columns of y.</summary>
    public int Outputs { get; } = call.Count("E");

    /// <summary>Hidden numbers up to whole panels.</summary>
    public int Padded => LinearSizes.Padded(Hidden);

    /// <summary>
    /// Rows that a panel of hidden numbers has room for: so many that panels do not lie a power of two apart, where the numbers of a tile's rows would
    /// share few places of the caches. Six rows of 64 bytes further from panel to panel, they lie side by side.
    /// </summary>
    public int PanelRows => (Rows + 63) / 64 * 64 + MatrixProduct.TileRows;

    /// <summary>From a panel of hidden numbers to the next.</summary>
    public long Panel => (long)PanelRows * LinearSizes.PanelWidth;

    /// <summary>All hidden numbers, in panels.</summary>
    public long HiddenFloats => (long)PanelRows * Padded;
}
