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
}
