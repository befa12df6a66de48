using System.Runtime.ExceptionServices;

namespace Zoo.Kernels;

/// <summary>Keeps the first exception of a backward pass until it is safe to throw: inside, it would end the process.</summary>
internal static class BackwardFailure
{
    private static Exception? _first;

    public static void Record(Exception exception) => Interlocked.CompareExchange(ref _first, exception, null);

    public static void ThrowIfAny()
    {
        if (Interlocked.Exchange(ref _first, null) is { } exception)
            ExceptionDispatchInfo.Throw(exception);
    }
}
