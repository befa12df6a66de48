using System.Text.Json.Nodes;
using TorchSharp;
using Zoo.Architectures;
using Zoo.Files;
using Zoo.Host.Cli;
using Zoo.Host.Configuration;
using Zoo.Host.Training;
using Zoo.Kernels;
using Zoo.Tasks;

namespace Zoo.Host.Runs;

/// <summary>A model that a run folder holds, trained or imported.</summary>
/// <param name="RunPath">The run folder.</param>
/// <param name="Record">Its config.</param>
/// <param name="Checkpoint">The checkpoint that is meant.</param>
internal sealed record SavedModel(string RunPath, RunRecord Record, Checkpoint Checkpoint)
{
    /// <summary>Finds it.</summary>
    /// <param name="path">A run folder, which means its newest whole checkpoint, or one checkpoint's folder.</param>
    /// <param name="note">Told in a sentence about each newer checkpoint that is not whole.</param>
    /// <param name="cancellation">Asked between parts of the files.</param>
    /// <exception cref="UserException">There is none, or it is not whole.</exception>
    public static SavedModel Find(string path, Action<string> note, CancellationToken cancellation = default)
    {
        if (File.Exists(Path.Combine(path, Checkpoint.StateName)))
        {
            var run = Path.GetDirectoryName(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))))!;
            RunFolder.RequireRun(run);
            return new SavedModel(run, ReadRecord(run), Checkpoint.Open(Path.TrimEndingDirectorySeparator(path), cancellation));
        }
        RunFolder.RequireRun(path);
        var record = ReadRecord(path);
        var checkpoint = new CheckpointStore(RunFolder.CheckpointsOf(path), record.Keep).NewestWhole(note, cancellation)
            ?? throw new UserException($"The run '{path}' has no checkpoint yet. `zoo train --resume {ShellWord.Of(path)}` goes on with it.");
        return new SavedModel(path, record, checkpoint);
    }

    /// <summary>The same weights under a config of which some keys are others; whether they fit it shows as they are loaded.</summary>
    /// <param name="sets">As typed after `--set`.</param>
    /// <exception cref="UserException">One is malformed, or is no key of the model's config.</exception>
    public SavedModel With(IReadOnlyList<string> sets) => sets.Count == 0
        ? this
        : this with { Record = Record with { Config = RunPlanner.Over(Record.Config, RunPlanner.ParseModelSets(sets)) } };

    /// <summary>Builds the model and loads the checkpoint.</summary>
    /// <param name="catalog">What is installed.</param>
    /// <param name="device">Where it runs.</param>
    /// <param name="kernels">Which backends are wanted.</param>
    /// <param name="dtype">Arithmetic of products; of a packed model, how the rest is stored.</param>
    /// <param name="packed">Whether in its packed form; a checkpoint that is not packed is packed as it is loaded.</param>
    /// <exception cref="UserException">The architecture is not installed, or the checkpoint does not fit it.</exception>
    public Model Build(Catalog catalog, torch.Device device, KernelChoice kernels, torch.ScalarType dtype, bool packed = false)
    {
        var (installed, config) = Record.ReadConfig(catalog);
        if (Record.Packed is { } format && !packed)
            throw new UserException($"'{RunPath}' holds weights packed as {format}, which have no other form here.");
        var model = ModelFactory.Build(catalog, installed, config, Record.Seed, device, kernels, dtype, packed);
        try
        {
            Checkpoint.LoadModel(model, pack: packed && Record.Packed is null);
            return model;
        }
        catch (Exception e)
        {
            model.Dispose();
            if (e is UserException and not BadFileException && Record.OtherPlugin(catalog) is { } other)
                throw new UserException($"{e.Message}\n{other}", e);
            throw;
        }
    }

    /// <summary>What the ids of a text task mean; null where the run has no text.</summary>
    /// <param name="model">The run's model.</param>
    /// <exception cref="BadFileException">The run's file is no encoding, or has ids that the model does not know.</exception>
    public TextEncoding? ReadText(TokenModel model)
    {
        var path = Path.Combine(RunPath, RunFolder.TextName);
        if (!File.Exists(path))
            return null;
        var text = TextEncoding.FromJson(RunJson.Read<JsonObject>(path, "a text encoding"), path);
        return text.VocabSize <= model.VocabSize
            ? text
            : throw new BadFileException($"'{path}' has {text.VocabSize:N0} ids and the run's model {model.VocabSize:N0}: it is another run's. Put the run's own back, or remove it and use ids.");
    }

    /// <summary>Which tensors a published checkpoint had; null for a run that was trained here.</summary>
    /// <exception cref="BadFileException">The run's file is damaged.</exception>
    public ImportRecord? ReadImport()
    {
        var path = Path.Combine(RunPath, RunFolder.ImportName);
        return File.Exists(path) ? RunJson.Read<ImportRecord>(path, "the record of an import") : null;
    }

    private static RunRecord ReadRecord(string run) => RunRecord.Read(Path.Combine(run, RunFolder.ConfigName));
}
