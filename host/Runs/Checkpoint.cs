using System.Globalization;
using Zoo.Architectures;
using Zoo.Files;

namespace Zoo.Host.Runs;

/// <summary>A checkpoint folder that was found whole.</summary>
/// <param name="Path">The folder.</param>
/// <param name="State">Its state.json.</param>
internal sealed record Checkpoint(string Path, CheckpointState State)
{
    /// <summary>The model's parameters and buffers.</summary>
    public const string ModelName = "model.safetensors";

    /// <summary>The optimiser's state.</summary>
    public const string OptimizerName = "optimizer.safetensors";

    /// <summary>Step, position, checksums.</summary>
    public const string StateName = "state.json";

    private const string Prefix = "step-";

    /// <summary>The folder's name for a step.</summary>
    public static string NameOf(long step) => Prefix + step.ToString(CultureInfo.InvariantCulture);

    /// <summary>The step of a folder's name, or null when it is no checkpoint's.</summary>
    public static long? StepOf(string path)
    {
        var name = System.IO.Path.GetFileName(path);
        return name.StartsWith(Prefix, StringComparison.Ordinal)
            && long.TryParse(name.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var step) ? step : null;
    }

    /// <summary>Opens a checkpoint and checks every file's size and checksum.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="cancellation">Asked between parts of the files.</param>
    /// <exception cref="BadFileException">It is not whole; the message says what is wrong.</exception>
    public static Checkpoint Open(string path, CancellationToken cancellation = default)
    {
        var statePath = System.IO.Path.Combine(path, StateName);
        var state = RunJson.Read<CheckpointState>(statePath, "a checkpoint's state");
        if (state.Format != CheckpointState.CurrentFormat)
        {
            throw new BadFileException($"'{statePath}' has format {state.Format}, and this version of Zoo reads " +
                $"{CheckpointState.CurrentFormat}. Use the version that wrote it.");
        }
        foreach (var (key, value) in new[]
        {
            ("step", state.Step), ("data_position", state.DataPosition), ("loss_count", state.LossCount), ("train_seconds", state.TrainSeconds), ("cpu_seconds", state.CpuSeconds),
        })
        {
            if (!(value is >= 0 and <= long.MaxValue))
                throw new BadFileException($"'{statePath}' is not a checkpoint's state: {key} is {value.ToString(CultureInfo.InvariantCulture)}.");
        }
        foreach (var name in (string[])[ModelName, OptimizerName])
        {
            if (!state.Files.TryGetValue(name, out var expected))
                throw new BadFileException($"'{statePath}' has no checksum of {name}.");
            var file = new FileInfo(System.IO.Path.Combine(path, name));
            if (!file.Exists)
                throw new BadFileException($"'{file.FullName}' is missing.");
            if (file.Length != expected.Bytes)
                throw new BadFileException($"'{file.FullName}' has {file.Length:N0} bytes and should have {expected.Bytes:N0}.");
            if (FileHash.Sha256(file.FullName, cancellation) != expected.Sha256)
                throw new BadFileException($"'{file.FullName}' has another checksum than when it was written.");
        }
        return new Checkpoint(path, state);
    }

    /// <summary>Copies the saved parameters and buffers into a model.</summary>
    /// <param name="model">Changed only if everything fits.</param>
    /// <param name="pack">Whether the model is packed and the checkpoint is not.</param>
    /// <exception cref="UserException">They do not fit it.</exception>
    public void LoadModel(Model model, bool pack = false)
    {
        var path = System.IO.Path.Combine(Path, ModelName);
        if (!Directory.Exists(Path))
            throw new UserException($"The checkpoint '{Path}' is gone: a training that goes on in this run replaced it meanwhile. Run the command again.");
        using var file = SafeTensorsFile.Open(path);
        using var scope = TorchSharp.torch.NewDisposeScope();
        var tensors = file.LoadAll();
        var source = $"'{path}'";
        if (pack)
            tensors = ((IPackedWeights)model).Pack(tensors);
        else if (model is IPackedWeights { IsPacked: true } packed)
            packed.CheckPacked(tensors, source);
        StateDict.Load(model, tensors, source);
        foreach (var tensor in tensors.Values)
            tensor.Dispose();
    }

    /// <summary>The optimiser's tensors. The caller disposes them.</summary>
    public NamedTensors LoadOptimizer()
    {
        using var file = SafeTensorsFile.Open(System.IO.Path.Combine(Path, OptimizerName));
        return file.LoadAll();
    }
}
