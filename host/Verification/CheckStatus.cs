namespace Zoo.Host.Verification;

/// <summary>How a check ended.</summary>
internal enum CheckStatus
{
    /// <summary>As it must be.</summary>
    Pass,

    /// <summary>Not as it must be; the reason says what.</summary>
    Fail,

    /// <summary>It could not be asked here; the reason says why.</summary>
    Unsupported,
}
