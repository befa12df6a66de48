using System.Runtime.InteropServices;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Host.Verification;

/// <summary>One check, named and not run yet.</summary>
/// <param name="Case">The golden case's id, or "model/preset/property".</param>
/// <param name="Kind">"golden" or "property".</param>
/// <param name="Subject">The model or op.</param>
internal sealed record Check(string Case, string Kind, string Subject, Func<CheckResult> Work)
{
    /// <summary>The bytes of a golden case's file, hashed: two files may have one id and differ. Null for a property.</summary>
    public string? Content { get; init; }

    /// <summary>What makes a check the same as another, which is then asked once.</summary>
    public object Identity => (Kind, Case, Content);

    /// <summary>A property as a check.</summary>
    public static Check OfProperty(string name, string subject, Func<PropertyOutcome> property) =>
        new(name, CheckResult.Property, subject, () =>
        {
            var outcome = property();
            var status = outcome.Problem is null ? CheckStatus.Pass : outcome.NotAsked ? CheckStatus.Unsupported : CheckStatus.Fail;
            return new CheckResult(name, CheckResult.Property, subject, status)
            {
                MaxAbsoluteError = outcome.MaxAbsoluteError,
                Worst = outcome.Worst,
                Reason = outcome.Problem,
            };
        });

    /// <summary>Runs it. What a plugin throws is the result, not the end of the run.</summary>
    public CheckResult Run()
    {
        using var scope = NewDisposeScope();
        OpUsage.Reset();
        return RunGuarded() with { Backends = OpUsage.Backends };
    }

    private CheckResult RunGuarded()
    {
        try
        {
            return Work();
        }
        catch (Exception e) when (e is EnvironmentException or BackendRejectedException)
        {
            return Ended(CheckStatus.Unsupported, e.Message);
        }
        catch (UserException e)
        {
            return Ended(CheckStatus.Fail, e.Message);
        }
        catch (ExternalException e)
        {
            return Ended(CheckStatus.Fail, $"libtorch refused: {e.Message.Split('\n')[0]}");
        }
        catch (Exception e) when (e is not (OutOfMemoryException or OperationCanceledException))   // a plugin's code may throw anything
        {
            return Ended(CheckStatus.Fail, $"It threw {e.GetType().Name}: {e.Message.Split('\n')[0]}");
        }
    }

    public override string ToString() => Case;

    private CheckResult Ended(CheckStatus status, string reason) => new(Case, Kind, Subject, status) { Reason = reason };
}
