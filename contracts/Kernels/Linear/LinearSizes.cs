using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Sizes of a call of `linear`.</summary>
internal readonly struct LinearSizes(OpCall call)
{
    /// <summary>Rows of x.</summary>
    public int Rows { get; } = checked((int)(call.Size("B") * call.Size("L")));

    /// <summary>Columns of x.</summary>
    public int Dim { get; } = call.Count("D");

    /// <summary>How many parts y has.</summary>
    public int Parts { get; } = LinearProduct.Parts(call.Options);

    /// <summary>Columns of a part of y.</summary>
    public int Width => call.Count("E") / Parts;

    /// <summary>Columns of a panel.</summary>
    public static int PanelWidth => 2 * Simd.Bits / 32;

    /// <summary>Up to whole panels.</summary>
    public static int Padded(int columns) => (columns + PanelWidth - 1) / PanelWidth * PanelWidth;
}
