namespace Zoo.Tests.Verification;

/// <summary>One way for the planted op to be wrong.</summary>
internal enum TinyOpFault
{
    /// <summary>Nothing is wrong.</summary>
    None,

    /// <summary>The gradient of an argument is twice what it must be.</summary>
    WrongGradient,

    /// <summary>An argument gets no gradient.</summary>
    NoGradient,

    /// <summary>Every call gives other numbers.</summary>
    UnseededNoise,

    /// <summary>The output is off by a thousandth.</summary>
    WrongOutput,

    /// <summary>The integers are off by one.</summary>
    WrongInteger,

    /// <summary>It gives an output that it does not declare.</summary>
    Undeclared,
}
