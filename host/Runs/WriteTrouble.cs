namespace Zoo.Host.Runs;

/// <summary>Whose trouble it is that a file or folder could not be written.</summary>
internal static class WriteTrouble
{
    /// <summary>ENOSPC and EDQUOT of Linux and of macOS; the two words that Windows has for a full disk, and the one for a quota.</summary>
    private static readonly int[] Full = OperatingSystem.IsWindows() ? [39, 112, 1295] : OperatingSystem.IsMacOS() ? [28, 69] : [28, 122];

    /// <summary>What to throw: the disk is full, which is the environment's lack, or the place that the user named is wrong.</summary>
    /// <param name="message">The sentence for the user.</param>
    /// <param name="e">What the system said.</param>
    public static Exception Of(string message, Exception e) => IsDiskFull(e) ? new EnvironmentException(message, e) : new UserException(message, e);

    private static bool IsDiskFull(Exception e) => e.GetBaseException() is var cause
        && (cause is IOException && Full.Contains(cause.HResult & 0xFFFF) || cause is ArgumentOutOfRangeException);   // the latter for a limit on the size of files
}
