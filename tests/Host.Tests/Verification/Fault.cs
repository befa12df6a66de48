namespace Zoo.Tests.Verification;

/// <summary>One way for the planted models to be wrong.</summary>
internal enum Fault
{
    /// <summary>Nothing is wrong.</summary>
    None,

    /// <summary>The backward pass of one weight is twice what it must be.</summary>
    DoubledGradient,

    /// <summary>One weight is used behind a detach.</summary>
    UnreachedParameter,

    /// <summary>One weight is multiplied by zero.</summary>
    ZeroGradient,

    /// <summary>Outputs depend on the mean over the batch.</summary>
    RowLeakage,

    /// <summary>Training mode draws from a generator that no seed reaches.</summary>
    UnseededNoise,

    /// <summary>Weights are initialised from a generator that no seed reaches.</summary>
    UnseededInitialisation,

    /// <summary>An output is NaN.</summary>
    NotANumber,

    /// <summary>Outputs depend on a tensor that is not in the state dict.</summary>
    UnsavedTensor,

    /// <summary>A submodule hides in an array.</summary>
    HiddenSubmodule,

    /// <summary>A submodule is a property.</summary>
    SubmoduleProperty,

    /// <summary>A parameter group names a parameter that does not exist.</summary>
    UnknownGroupName,

    /// <summary>Two parameter groups name one parameter.</summary>
    OverlappingGroups,

    /// <summary>Unknown config keys are ignored.</summary>
    IgnoresUnknownKeys,

    /// <summary>A config value does not survive JSON.</summary>
    ForgetsConfig,

    /// <summary>In float32, a layer computes in bfloat16.</summary>
    LowPrecision,

    /// <summary>RunCase gives outputs of another shape.</summary>
    OutputShape,

    /// <summary>RunCase leaves an output out.</summary>
    MissingOutput,

    /// <summary>Building throws.</summary>
    ThrowsWhenBuilt,

    /// <summary>The constructor reads a tensor's value.</summary>
    ReadsValuesWhenBuilt,
}
