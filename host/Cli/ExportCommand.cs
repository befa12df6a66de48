using System.CommandLine;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Files;
using Zoo.Host.Runs;
using Zoo.Host.Verification;
using Zoo.Native;
using static TorchSharp.torch;

namespace Zoo.Host.Cli;

/// <summary>`zoo export`: a run's weights as the original project publishes them. What was imported comes back byte for byte.</summary>
internal sealed class ExportCommand : ZooCommand
{
    private const string Ending = ".safetensors";
    private const string ConfigName = "config.json";
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly Argument<string> _run = new("run")
    {
        Description = "A run folder, which means its newest whole checkpoint, or one checkpoint's folder.",
    };

    private readonly Argument<string> _path = new("path")
    {
        Description = $"A new folder, which gets model.safetensors and config.json, or a file's name that ends in {Ending}; config.json goes beside it.",
    };

    private readonly Option<bool> _packed = new("--packed") { Description = "In the smaller form that some models have; `zoo import` reads it." };

    public ExportCommand() : base("export", "Writes a run's weights as safetensors with config.json, under the original project's names.")
    {
        Add(_run);
        Add(_path);
        Add(_packed);
        _run.Validators.Add(OptionOf.RequireName);
        _path.Validators.Add(OptionOf.RequireName);
    }

    public override int Run(ParseResult arguments, Session session)
    {
        var (output, catalog, interrupted) = (session.Output, session.Catalog, session.Interrupted);
        var path = arguments.GetValue(_path)!;
        var (weightsPath, configPath) = path.EndsWith(Ending, StringComparison.Ordinal)
            ? (path, Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, ConfigName))
            : (Path.Combine(path, "model" + Ending), Path.Combine(path, ConfigName));
        if (File.Exists(path) && path != weightsPath)
            throw new UserException($"'{path}' is a file whose name does not end in {Ending}; nothing was written. Name a new folder, or a file *{Ending}.");
        foreach (var target in (string[])[weightsPath, configPath])
        {
            if (Path.Exists(target))
                throw new UserException($"'{target}' exists already; nothing was written. Name another place, or remove it first.");
        }
        var saved = SavedModel.Find(arguments.GetValue(_run)!, output.Note, interrupted);
        var (installed, config) = saved.Record.ReadConfig(catalog);
        LibTorch.Load();
        using var scope = NewDisposeScope();
        var toPack = arguments.GetValue(_packed) && saved.Record.Packed is null;
        var (tensors, metadata) = toPack ? Packed(saved, installed.Architecture, config, catalog)
            : saved.ReadImport() is { } import ? Imported(saved, import)
            : Trained(saved, installed.Architecture, config, catalog);

        var bytes = NewFolder.Fill(Path.GetDirectoryName(Path.GetFullPath(weightsPath))!, () =>
        {
            SafeTensorsWriter.Write(weightsPath, tensors, metadata, interrupted);
            try
            {
                AtomicFile.Write(configPath, Config(saved, installed.Architecture, config));
            }
            catch
            {
                File.Delete(weightsPath);   // half an export would refuse the next one its place
                throw;
            }
            return new FileInfo(weightsPath).Length;
        });
        output.Record(new JsonObject { ["event"] = "exported", ["path"] = weightsPath, ["config"] = configPath, ["tensors"] = tensors.Count, ["bytes"] = bytes });
        output.Say($"Wrote {tensors.Count:N0} tensors, {bytes / 1e6:N1} MB: {weightsPath}, and {configPath}");
        return ExitCode.Done;
    }

    /// <summary>The tensors that were imported, under the names, in the types and the order that they came in.</summary>
    internal static (NamedTensors Tensors, IReadOnlyDictionary<string, string>? Metadata) Imported(SavedModel saved, ImportRecord import)
    {
        var kept = LoadCheckpoint(saved);
        var tensors = new NamedTensors();
        foreach (var (name, key, transposed) in import.Tensors)
        {
            // A second name of a shared tensor is not among the model's own keys: it is the tensor of a name that is.
            var tensor = kept.Find(key) ?? kept.Find(import.Shared.GetValueOrDefault(key) ?? key)
                ?? throw new BadFileException($"'{saved.Checkpoint.Path}' has no tensor '{key}', which the import had.");
            tensors.Add(name, transposed ? tensor.t() : tensor);
        }
        return (tensors, import.Metadata);
    }

    /// <summary>The model's tensors under the original project's names, a shared one under each of its names.</summary>
    private static (NamedTensors Tensors, IReadOnlyDictionary<string, string>? Metadata) Trained(
        SavedModel saved, IModelArchitecture architecture, ModelConfig config, Catalog catalog)
    {
        using var model = ModelOutline.Build(architecture, config, catalog.Ops);
        var tensors = new NamedTensors();
        foreach (var (key, tensor) in LoadCheckpoint(saved))
        {
            tensors.Add(key, tensor);
            foreach (var tied in model.TiedKeys(key))
                tensors.TryAdd(tied, tensor);
        }
        return (tensors, new Dictionary<string, string> { ["format"] = "pt" });
    }

    /// <summary>The packed form, tensor by tensor of the checkpoint: the model itself is never built.</summary>
    private static (NamedTensors Tensors, IReadOnlyDictionary<string, string>? Metadata) Packed(
        SavedModel saved, IModelArchitecture architecture, ModelConfig config, Catalog catalog)
    {
        using var model = ModelOutline.Build(architecture, config, catalog.Ops);
        if (model is not IPackedWeights packed)
            throw new UserException($"--packed: {saved.Record.Model} has no packed form. Leave it out.");
        using var noGradient = no_grad();
        var weights = StateDict.Match(model, LoadCheckpoint(saved), $"'{saved.Checkpoint.Path}'");
        return (packed.Pack(weights), new Dictionary<string, string> { [ImportCommand.PackedKey] = packed.PackedFormat });
    }

    private static NamedTensors LoadCheckpoint(SavedModel saved)
    {
        using var file = SafeTensorsFile.Open(Path.Combine(saved.Checkpoint.Path, Checkpoint.ModelName));
        return file.LoadAll();
    }

    private static ReadOnlySpan<byte> Config(SavedModel saved, IModelArchitecture architecture, ModelConfig config)
    {
        var kept = Path.Combine(saved.RunPath, RunFolder.UpstreamConfigName);
        return File.Exists(kept)
            ? File.ReadAllBytes(kept)
            : Encoding.UTF8.GetBytes(architecture.WriteUpstreamConfig(config).ToJsonString(Indented) + "\n");
    }
}
