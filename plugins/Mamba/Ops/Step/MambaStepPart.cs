namespace Zoo.Mamba.Ops.Step;

/// <summary>What a block does between its products.</summary>
internal enum MambaStepPart
{
    /// <summary>Adds to the residual stream and normalises it.</summary>
    Norm,

    /// <summary>Moves the window of inputs on, and convolves it.</summary>
    Convolution,

    /// <summary>The scan's step, and the gate.</summary>
    Scan,
}
