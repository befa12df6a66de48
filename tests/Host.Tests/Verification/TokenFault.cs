namespace Zoo.Tests.Verification;

/// <summary>One way for the planted token model to be wrong.</summary>
internal enum TokenFault
{
    /// <summary>Nothing is wrong.</summary>
    None,

    /// <summary>The whole-sequence form sees the next token.</summary>
    LooksAhead,

    /// <summary>The whole-sequence form takes the mean of the batch off.</summary>
    LooksSideways,

    /// <summary>The whole-sequence form divides by the sequence's length.</summary>
    KnowsTheLength,

    /// <summary>The whole-sequence form forgets at position 64.</summary>
    ForgetsAfterBlock,

    /// <summary>The step form forgets the decay.</summary>
    WrongStep,

    /// <summary>A copied state shares its tensor with the original.</summary>
    SharedState,

    /// <summary>Prefill starts from nothing instead of from the state.</summary>
    PrefillIgnoresState,

    /// <summary>Prefill leaves the state as it was.</summary>
    PrefillKeepsState,

    /// <summary>The state remembers every token.</summary>
    GrowingState,

    /// <summary>The arithmetic that the run asks for is not used.</summary>
    IgnoresBFloat16,

    /// <summary>With bfloat16 products something else is computed.</summary>
    WrongBFloat16,

    /// <summary>With bfloat16 products no gradient reaches the head.</summary>
    BFloat16WithoutGradient,

    /// <summary>There is no state, and so no step form.</summary>
    NoState,

    /// <summary>Nothing is wrong, and only nine tokens are taken.</summary>
    ShortButRight,

    /// <summary>Only nine tokens are taken, and the step form forgets the decay.</summary>
    ShortAndWrongStep,
}
