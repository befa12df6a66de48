using System.Runtime.InteropServices;

namespace Zoo.Host.Cli;

/// <summary>Ctrl-C and termination ask the command to end, a training after saving; a second Ctrl-C ends it at once, also in the midst of native code.</summary>
internal sealed class Interrupt : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;

    /// <summary>Listens until it is disposed.</summary>
    public Interrupt() => _registrations =
        [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Select(s => PosixSignalRegistration.Create(s, Handle))];

    /// <summary>Cancelled when the command should end.</summary>
    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
        _source.Dispose();
    }

    private void Handle(PosixSignalContext context)
    {
        if (_source.IsCancellationRequested && context.Signal == PosixSignal.SIGINT)
            return;   // the second Ctrl-C: the system's own way, at once
        context.Cancel = true;
        _source.Cancel();
    }
}
