namespace Zoo.Tests.Verification;

/// <summary>One way for the planted token model to be wrong.</summary>
internal enum TokenFault
{
    /// <summary>Nothing is wrong.</summary>
    None,

    /// <summary>The whole-sequence form sees the next token.</summary>
    LooksAhead,

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
}
