using System.CommandLine;
using System.Diagnostics;
using Zoo.Host.Verification;
using Zoo.Kernels;
using Zoo.Native;

namespace Zoo.Host.Cli;

/// <summary>`zoo verify`: golden cases and properties of what is installed.</summary>
internal sealed class VerifyCommand : ZooCommand
{
    private readonly Argument<string[]> _models = new("model")
    {
        Description = "Models to verify, by name or alias; everything that is installed when none is named.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly Option<string[]> _ops = new("--op")
    {
        Description = "An op to verify: its golden cases and properties (repeatable). Without a model, these alone are run.",
        HelpName = "NAME",
        DefaultValueFactory = _ => [],
    };

    private readonly Option<string[]> _golden = new("--golden")
    {
        Description = "Golden cases to run: files, or folders with all their *.safetensors (repeatable). Without a model, these alone are run.",
        HelpName = "PATH…",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [],
    };

    private readonly Option<bool> _strict = new("--strict")
    {
        Description = "A case that nothing installed can run is a failure.",
    };

    private readonly Option<string?> _device = DeviceName.Option();

    private readonly Option<string?> _kernels = OptionOf.Kernels();

    public VerifyCommand() : base(
        "verify", "Checks what is installed: recorded cases of the original projects, gradients, batches, save and load, determinism, step forms.")
    {
        Add(_models);
        Add(_ops);
        Add(_golden);
        Add(_strict);
        Add(_device);
        Add(_kernels);
    }

    public override int Run(ParseResult arguments, Session session)
    {
        var (output, catalog, interrupted) = (session.Output, session.Catalog, session.Interrupted);
        var models = arguments.GetValue(_models) ?? [];
        var ops = arguments.GetValue(_ops) ?? [];
        var golden = GoldenFiles.Named(arguments.GetValue(_golden) ?? []);
        var kernels = KernelChoice.Parse(arguments.GetValue(_kernels) ?? "auto");
        foreach (var model in models)
            catalog.Architecture(model);
        foreach (var op in ops)
            catalog.Ops.Get(op);

        LibTorch.Load();
        CheckOps(catalog, kernels);
        var (device, card) = DeviceName.ParseForOps(arguments.GetValue(_device));
        if (device.type != TorchSharp.DeviceType.CPU)
            card = null;   // libtorch has CUDA: everything runs on the card as it is
        if (card is not null)
            output.Note($"libtorch has no CUDA here: ops run on {card.Name} by their own kernels, copied there and back.");
        var verifier = new Verifier(catalog, device, kernels, card is null ? null : new OnCard(card, kernels)) { Cancellation = interrupted };
        var checks = golden.Select(path => verifier.Golden(path)).ToList();
        checks.AddRange(models.Length + ops.Length > 0 ? [.. models.SelectMany(verifier.Of), .. ops.SelectMany(verifier.OfOp)] : golden.Count > 0 ? [] : verifier.Everything());
        checks = [.. checks.DistinctBy(c => c.Identity)];
        foreach (var same in checks.GroupBy(c => (c.Kind, c.Case)).Where(same => same.Count() > 1))
            output.Note($"Different files hold a case '{same.Key.Case}'; each is run.");
        if (checks.Count == 0)
        {
            output.Note("Nothing is installed that could be verified. `zoo plugins` says where plugins are looked for.");
            return ExitCode.Done;
        }
        return RunAll(checks, output, arguments.GetValue(_strict), interrupted);
    }

    /// <summary>Requires that the ops that were named one by one exist; a kernel for whole training steps counts as one.</summary>
    /// <exception cref="UserException">One does not.</exception>
    private static void CheckOps(Catalog catalog, KernelChoice kernels)
    {
        var unknown = kernels.NamedOps.Where(name => catalog.Ops.Find(name) is null).ToList();
        if (unknown.Count == 0)
            return;
        var fused = catalog.Architectures.Select(FusedStepName).OfType<string>().ToList();
        if (unknown.Except(fused).FirstOrDefault() is { } name)
        {
            throw new UserException($"--kernels {kernels}: no installed plugin has an op named '{name}'." +
                Names.DidYouMean(name, catalog.Ops.All.Select(o => o.Name).Concat(fused)));
        }

        string? FusedStepName(InstalledArchitecture installed) => ModelOutline.Of(
            installed.Architecture, installed.Architecture.Presets[installed.Info.DefaultPreset], catalog.Ops).FusedStepName;
    }

    private static int RunAll(IReadOnlyList<Check> checks, Output output, bool strict, CancellationToken interrupted)
    {
        var watch = Stopwatch.StartNew();
        var width = Math.Min(60, checks.Max(c => c.Case.Length));
        var counts = new Dictionary<CheckStatus, int> { [CheckStatus.Pass] = 0, [CheckStatus.Fail] = 0, [CheckStatus.Unsupported] = 0 };
        foreach (var check in checks.TakeWhile(_ => !interrupted.IsCancellationRequested))
        {
            var result = check.Run();
            counts[result.Status]++;
            output.Record(result.ToJson());
            if (!output.Json)
                Say(output, result, width);
        }
        var (failed, unsupported) = (counts[CheckStatus.Fail], counts[CheckStatus.Unsupported]);
        var (done, found) = (counts.Values.Sum(), $"{counts[CheckStatus.Pass]} passed, {failed} failed, {unsupported} unsupported.");
        if (done < checks.Count)
        {
            output.Error($"Interrupted after {done} of {Counted.Of(checks.Count, "check")}: {found}");
            return ExitCode.Interrupted;
        }
        var summary = $"{Counted.Of(done, "check")} in {watch.Elapsed.TotalSeconds:F1} s: {found}";
        if (output.Json)
            output.Note(summary);
        else
            output.Say(summary);
        return failed > 0 || (strict && unsupported > 0) ? ExitCode.CheckFailed : ExitCode.Done;
    }

    private static void Say(Output output, CheckResult result, int width)
    {
        var error = result.MaxAbsoluteError is { } value ? $"largest difference {TensorComparison.Format(value)}" : "";
        var backends = string.Join(", ", result.Backends.Select(b => $"{b.Key}: {b.Value}"));
        var details = string.Join("  ", ((string[])[error, backends]).Where(d => d.Length > 0));
        output.Say($"{Word(result.Status),-11}  {result.Case.PadRight(width)}  {details}".TrimEnd());
        if (result.Reason is { } reason)
            output.Say($"{"",-11}  {reason.ReplaceLineEndings($"\n{"",-13}")}");
    }

    private static string Word(CheckStatus status) => status switch
    {
        CheckStatus.Pass => "pass",
        CheckStatus.Fail => "FAIL",
        _ => "unsupported",
    };
}
