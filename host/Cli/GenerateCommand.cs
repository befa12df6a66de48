using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json.Nodes;
using TorchSharp;
using Zoo.Architectures;
using Zoo.Host.Diagnostics;
using Zoo.Host.Generation;
using Zoo.Host.Runs;
using Zoo.Host.Training;
using Zoo.Kernels;
using Zoo.Native;

namespace Zoo.Host.Cli;

/// <summary>`zoo generate`: text from a trained or imported language model, as it comes.</summary>
internal sealed class GenerateCommand : ZooCommand
{
    private const int DefaultTokens = 256;
    private const double DefaultTemperature = 0.8;

    /// <summary>Texts side by side that any machine has the memory to begin with; each has a state, logits and draws of its own.</summary>
    private const int MostSamples = 1 << 16;

    private readonly Argument<string> _run = new("run")
    {
        Description = "A run folder, which means its newest whole checkpoint, or one checkpoint's folder.",
    };

    private readonly Option<string?> _prompt = OptionOf.Text(
        "--prompt", "TEXT", "What the text begins with; '-' reads it from standard input. A line end unless given. Ids, such as \"5 12 7\", for a run without text.");

    private readonly Option<int?> _tokens = NumberOption.Int32("--tokens", $"Tokens to generate (default {DefaultTokens}).", least: 1);

    private readonly Option<double?> _temperature = NumberOption.FromZero(
        "--temperature", $"What the logits are divided by (default {DefaultTemperature.ToString(CultureInfo.InvariantCulture)}); 0 takes the most likely token each time.");

    private readonly Option<int?> _topK = NumberOption.Int32("--top-k", "Choose among so many of the most likely tokens only.", least: 1);

    private readonly Option<double?> _topP = new("--top-p")
    {
        Description = "Choose among the most likely tokens that together reach this probability only.",
        HelpName = "P",
        CustomParser = ReadShare,
    };

    private readonly Option<int?> _seed = NumberOption.Int32("--seed", "Seed of the draws (default 1): the same seed gives the same text.");
    private readonly Option<int?> _samples = NumberOption.Int32("--samples", "Texts side by side, each with draws of its own (default 1).", least: 1, most: MostSamples);
    private readonly Option<string[]> _set = OptionOf.Sets("Another value for a key of the model's config, such as kv_cache=int8: the same weights, computed otherwise (repeatable).");
    private readonly Option<string?> _device = DeviceName.Option();

    private readonly Option<string?> _dtype = DtypeName.Option(
        "fp32, or bf16: the matrices are stored as bfloat16, which halves the memory. A model that has a packed form is packed unless this says fp32, which changes no number.");

    private readonly Option<string?> _kernels = OptionOf.Kernels();

    private readonly Option<int?> _threads = NumberOption.Threads("Threads of the arithmetic; unless given, one where the net is small and all cores otherwise.");

    public GenerateCommand() : base("generate", "Writes text with a language model: the prompt in one pass, then token by token.")
    {
        foreach (var option in (Option[])[_prompt, _tokens, _temperature, _topK, _topP, _seed, _samples, _set, _device, _dtype, _kernels, _threads])
            Add(option);
        Add(_run);
        _run.Validators.Add(OptionOf.RequireName);
    }

    public override int Run(ParseResult arguments, Session session)
    {
        var (output, catalog, interrupted) = (session.Output, session.Catalog, session.Interrupted);
        var saved = SavedModel.Find(arguments.GetValue(_run)!, output.Note, interrupted).With(arguments.GetValue(_set)!);
        var record = saved.Record;
        var (installed, _) = record.ReadConfig(catalog);
        if (installed.Info.Kind != ModelKind.TokenModel && !installed.Info.OtherKinds.Contains(ModelKind.TokenModel))
            throw new UserException($"{record.Model} is no model over tokens, so there is nothing to generate.");
        LibTorch.Load();
        var samples = arguments.GetValue(_samples) ?? 1;
        var kernels = KernelChoice.Parse(arguments.GetValue(_kernels) ?? "auto");
        var typed = arguments.GetValue(_dtype);
        var dtype = DtypeName.Parse(typed ?? DtypeName.Float32);
        var packed = installed.Info.Abilities.HasFlag(ModelAbilities.Packed) && typed != DtypeName.Float32;
        var device = DeviceName.Parse(arguments.GetValue(_device));

        interrupted.ThrowIfCancellationRequested();
        using var built = saved.Build(catalog, device, kernels, dtype, packed);
        if (built is not TokenModel model)
            throw new UserException($"This config of {record.Model} builds no model over tokens, so there is nothing to generate.");
        model.eval();
        if (dtype == torch.ScalarType.BFloat16 && !packed)
            WeightStorage.RoundToBFloat16(model);
        MemoryBound.Set(device);
        Training.Threads.Use(arguments.GetValue(_threads)
            ?? ModelFactory.DefaultThreads(ModelFactory.ParameterCount(model), samples, torch.get_num_threads()));
        var text = saved.ReadText(model);
        if (text is null)
            output.Note($"The run has no {RunFolder.TextName}, which says what ids mean: the prompt is ids, and so is what comes.");
        var writer = new TokenWriter(output, text, samples);
        var prompt = writer.ReadPrompt(ReadPrompt(arguments, interrupted), model.VocabSize);
        var request = new GenerationRequest(
            prompt, arguments.GetValue(_tokens) ?? DefaultTokens, samples, Math.Min(model.VocabSize, writer.VocabSize ?? int.MaxValue),
            new SamplingOptions
            {
                Temperature = arguments.GetValue(_temperature) ?? DefaultTemperature,
                TopK = arguments.GetValue(_topK),
                TopP = arguments.GetValue(_topP) ?? 1,
            },
            arguments.GetValue(_seed) ?? 1);
        output.Note($"{record.Model}, {(record.Imported ? record.Data : $"after step {saved.Checkpoint.State.Step:N0} on {record.Task}")}: {saved.Checkpoint.Path}");

        WatchedOutput.Use();
        OpUsage.Reset();
        try
        {
            writer.Begin(prompt);
            var times = new TokenGenerator(model, device) { Note = output.Note }.Run(request, writer.Add, interrupted);
            writer.End();
            Report(output, saved, request, times);
            return ExitCode.Done;
        }
        catch (OperationCanceledException)
        {
            writer.End();
            output.Error("Interrupted.");
            return ExitCode.Interrupted;
        }
        catch (IOException e) when (WatchedOutput.IsReaderGone(e))
        {
            return ExitCode.Interrupted;   // `zoo generate … | head` has what it wanted
        }
        catch (Exception e) when (MemoryShortage.Caused(e))
        {
            var (verb, lower) = samples > 1 ? ("side by side", "Lower --samples.") : ("", "A shorter --prompt needs less.");
            throw MemoryShortage.Error($"with {Counted.Of(samples, "sequence")} {verb}".TrimEnd() + $" after a prompt of {prompt.Length:N0}", lower, e);
        }
    }

    /// <summary>The prompt; what stands in standard input is read aside, as that cannot be cancelled.</summary>
    private string? ReadPrompt(ParseResult arguments, CancellationToken interrupted) => arguments.GetValue(_prompt) is not "-" and var typed
        ? typed
        : Task.Run(Console.In.ReadToEnd, CancellationToken.None).WaitAsync(interrupted).GetAwaiter().GetResult();

    private static void Report(Output output, SavedModel saved, GenerationRequest request, GenerationTimes times)
    {
        var (prompt, rest) = (Rate(times.PromptTokens, times.PromptSeconds), Rate(times.Tokens, times.Seconds));
        output.Record(new JsonObject
        {
            ["event"] = "done",
            ["run"] = saved.RunPath,
            ["step"] = saved.Checkpoint.State.Step,
            ["samples"] = request.Samples,
            ["prompt_tokens"] = times.PromptTokens,
            ["prompt_tokens_per_second"] = prompt is { } p ? Math.Round(p, 1) : null,
            ["tokens"] = (long)request.Count * request.Samples,
            ["tokens_per_second"] = rest is { } r ? Math.Round(r, 1) : null,
            ["seed"] = request.Seed,
            ["backends"] = RecordValues.Map(OpUsage.Backends),
        });
        var afterwards = rest is null ? "" : $"; {times.Tokens:N0} more in {TrainingProgress.Duration(times.Seconds)} ({rest:N0} tokens/s)";
        output.Note($"Prompt of {Counted.Of(times.PromptTokens, "token")} in {TrainingProgress.Duration(times.PromptSeconds)} ({prompt:N0} tokens/s){afterwards}.");
    }

    private static double? Rate(long tokens, double seconds) => tokens > 0 && seconds > 0 ? tokens / seconds : null;

    private static double? ReadShare(ArgumentResult result)
    {
        var typed = result.Tokens[0].Value;
        if (double.TryParse(typed, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value is > 0 and <= 1)
            return value;
        result.AddError($"--top-p {typed}: it must be a number above 0 and at most 1.");
        return null;
    }
}
