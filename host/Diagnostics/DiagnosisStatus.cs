namespace Zoo.Host.Diagnostics;

/// <summary>How a part of the environment is.</summary>
internal enum DiagnosisStatus
{
    /// <summary>There, and as it should be.</summary>
    Ok,

    /// <summary>There, or not needed, with something worth knowing.</summary>
    Hint,

    /// <summary>Not there.</summary>
    Missing,
}
