using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Files;
using Zoo.Host.Configuration;
using Zoo.Host.Runs;
using Zoo.Host.Verification;
using Zoo.Native;
using Zoo.Training;

namespace Zoo.Host.Cli;

/// <summary>`zoo import`: a published checkpoint becomes a run folder.</summary>
/// <remarks>
/// The model is built without storage and the tensors stay on the mapped files, so that a checkpoint of gigabytes takes no more memory than
/// its largest tensor. They are kept in the type that they come in.
/// </remarks>
internal sealed class ImportCommand : ZooCommand
{
    /// <summary>Key of the form's name in the header of packed weights.</summary>
    public const string PackedKey = "zoo.packed";

    private const long MaximumConfigBytes = 16 << 20;

    private readonly Argument<string> _model = new("model") { Description = "The architecture, by name or alias. `zoo list` shows what is installed." };

    private readonly Argument<string> _path = new("path")
    {
        Description = "A .safetensors file, a .safetensors.index.json, or a folder that holds model.safetensors or its index; config.json beside it is read.",
    };

    private readonly Option<string?> _preset = OptionOf.Text("--preset", "PRESET", "The config that config.json, where there is one, is laid over.");
    private readonly Option<string[]> _set = OptionOf.Sets("A config key of the model, over what config.json says (repeatable).");
    private readonly Option<string?> _out = OptionOf.Path("--out", "DIR", $"Where run folders go (default '{RunFolder.DefaultParent}').");

    public ImportCommand() : base("import", "Turns published weights (safetensors, several files too, with config.json) into a run folder.")
    {
        Add(_model);
        Add(_path);
        _path.Validators.Add(OptionOf.RequireName);
        foreach (var option in (Option[])[_preset, _set, _out])
            Add(option);
    }

    public override int Run(ParseResult arguments, Session session)
    {
        var (output, catalog, interrupted) = (session.Output, session.Catalog, session.Interrupted);
        var (installed, namedPreset) = catalog.Architecture(arguments.GetValue(_model)!);
        var preset = RunPlanner.CheckPreset(installed, arguments.GetValue(_preset) ?? namedPreset);
        using var weights = Weights.Open(arguments.GetValue(_path)!);
        var upstream = weights.ConfigPath is { } configPath ? ReadBytes(configPath) : null;
        var config = ReadConfig(installed.Architecture, preset, weights.ConfigPath, upstream, RunPlanner.ParseSets(arguments.GetValue(_set)!));
        output.Note(upstream is null
            ? $"There is no config.json beside the weights: preset {preset}{(arguments.GetValue(_set)!.Length > 0 ? " with --set" : "")} says the sizes."
            : $"Config     {weights.ConfigPath}");

        LibTorch.Load();
        using var scope = TorchSharp.torch.NewDisposeScope();
        var isPacked = weights.Metadata.TryGetValue(PackedKey, out var packedFormat);
        if (isPacked && !installed.Info.Abilities.HasFlag(ModelAbilities.Packed))
            throw new UserException($"'{weights.Path}' holds weights packed as {packedFormat}, and {installed.Info.Name} has no packed form.");
        using var model = ModelOutline.Build(installed.Architecture, config, catalog.Ops, isPacked);
        var (tensors, import) = Match(installed.Architecture, config, model, weights);
        if (isPacked)
            CheckPacked(model, tensors, weights, packedFormat!);
        using var folder = RunFolder.Create(
            arguments.GetValue(_out) ?? RunFolder.DefaultParent, NewRecord(installed, preset, config, import) with { Packed = packedFormat }, RunEnvironment.Capture("cpu", 1, "auto"), path =>
            {
                RunJson.Write(Path.Combine(path, RunFolder.ImportName), import);
                if (upstream is not null)
                    AtomicFile.Write(Path.Combine(path, RunFolder.UpstreamConfigName), upstream);
                new CheckpointStore(RunFolder.CheckpointsOf(path), keep: 1).Save(tensors, [], new CheckpointState
                {
                    Step = 0,
                    DataPosition = 0,
                    Random = new(Seed: 1, ModelCounter: 0),
                    LossSum = 0,
                    LossCount = 0,
                    TrainSeconds = 0,
                    Files = [],
                }, interrupted);
            });

        var parameters = ModelOutline.Of(installed.Architecture, config, catalog.Ops).ParameterCount;
        if (import.Left.Count > 0)
            output.Note($"Not needed and left behind: {string.Join(", ", import.Left)}.");
        output.Record(new JsonObject
        {
            ["event"] = "imported",
            ["run"] = folder.Path,
            ["model"] = installed.Info.Name,
            ["tensors"] = import.Tensors.Count,
            ["params"] = parameters,
            ["left"] = RecordValues.List(import.Left),
        });
        output.Say($"Imported {import.Tensors.Count:N0} tensors of {weights.Path} as {installed.Info.Name}, {parameters:N0} parameters{(isPacked ? $", packed as {packedFormat}" : "")}.");
        output.Say($"Run folder: {folder.Path}");
        return ExitCode.Done;
    }

    /// <summary>The checkpoint's tensors under the model's keys.</summary>
    /// <exception cref="UserException">Tensors are missing, unknown or of another shape; all are named.</exception>
    internal static (NamedTensors Tensors, ImportRecord Import) Match(IModelArchitecture architecture, ModelConfig config, Model model, Weights weights)
    {
        var (renamed, imported, left) = (new NamedTensors(), new List<ImportRecord.ImportedTensor>(), new List<string>());
        var doubled = new List<string>();
        foreach (var (name, tensor) in weights.LoadAll())
        {
            if (architecture.FindUpstream(name, config) is not { } found)
            {
                left.Add(name);
                continue;
            }
            var isTransposed = found.Transposed && tensor.Dimensions == 2;
            if (renamed.TryAdd(found.Key, isTransposed ? tensor.t() : tensor))
                imported.Add(new(name, found.Key, isTransposed));
            else
                doubled.Add($"'{name}' and '{imported.First(t => t.Key == found.Key).Name}' are both {architecture.Info.Name}'s '{found.Key}'.");
        }
        if (doubled.Count > 0)
            throw new UserException($"The tensors of '{weights.Path}' do not fit {architecture.Info.Name}:\n{string.Join('\n', doubled.Select(d => "  " + d))}");
        var matched = StateDict.Match(model, renamed, $"'{weights.Path}'");
        return (matched, new ImportRecord
        {
            Source = Path.GetFullPath(weights.Path),
            Tensors = imported,
            Shared = SharedKeys(model),
            Left = left,
            Metadata = weights.Metadata,
        });
    }

    /// <summary>The original project's further names for tensors, each with the model's own key.</summary>
    private static Dictionary<string, string> SharedKeys(Model model)
    {
        var shared = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var key in model.state_dict().Keys)
        {
            foreach (var other in model.TiedKeys(key))
                shared.TryAdd(other, key);
        }
        return shared;
    }

    private static void CheckPacked(Model model, NamedTensors tensors, Weights weights, string format)
    {
        if (model is not IPackedWeights packed)
            throw new UserException($"'{weights.Path}' holds weights packed as {format}, and {model.GetName()} has no packed form.");
        if (packed.PackedFormat != format)
            throw new UserException($"'{weights.Path}' holds weights packed as {format}, and {model.GetName()} reads {packed.PackedFormat}.");
        packed.CheckPacked(tensors, $"'{weights.Path}'");
    }

    private static ModelConfig ReadConfig(IModelArchitecture architecture, string preset, string? path, byte[]? upstream, JsonObject sets)
    {
        if (upstream is null)
            return RunPlanner.BindModel(architecture, preset, null, sets);
        try
        {
            var values = JsonText.Parse(upstream) as JsonObject
                ?? throw new BadFileException($"'{path}' is no config: it holds no JSON object.");
            foreach (var (key, value) in ConfigJson.Flatten(sets))
                ConfigJson.Set(values, key, value?.DeepClone());
            return architecture.ReadUpstreamConfig(preset, values);
        }
        catch (JsonException e)
        {
            throw new BadFileException($"'{path}' is no config: it {JsonText.Words(e)}.", e);
        }
        catch (ConfigException e)
        {
            throw new UserException($"'{path}' cannot be read as {architecture.Info.Name}'s: {e.Message}", e);
        }
    }

    private static byte[] ReadBytes(string path)
    {
        try
        {
            if (new FileInfo(path).Length > MaximumConfigBytes)
                throw new BadFileException($"'{path}' is no config: it has {new FileInfo(path).Length:N0} bytes.");
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException($"'{path}' cannot be read: {FileTrouble.Words(e)}", e);
        }
    }

    private static RunRecord NewRecord(InstalledArchitecture installed, string preset, ModelConfig config, ImportRecord import) => new()
    {
        Model = installed.Info.Name,
        Preset = preset,
        Plugin = installed.Plugin,
        PluginVersion = installed.PluginVersion,
        Config = ConfigJson.Write(config),
        Task = "imported",
        TaskVersion = 0,
        TaskOptions = [],
        DataPath = null,
        Data = $"weights from {import.Source}",
        TrainingExamples = null,
        Length = null,
        Training = ConfigJson.Write(RunPlanner.Complete(new TrainingSettings())),
        Steps = 0,
        Seed = 1,
        Device = "cpu",
        Dtype = DtypeName.Float32,
        Kernels = "auto",
        Threads = 1,
        EvalEvery = 0,
        CheckpointEvery = null,
        Keep = 1,
        Started = DateTimeOffset.Now,
        Imported = true,
    };
}
