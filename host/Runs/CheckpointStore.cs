using Zoo.Architectures;
using Zoo.Files;

namespace Zoo.Host.Runs;

/// <summary>
/// The checkpoints of a run. Each is a folder that appears whole or not at all: written aside, flushed, renamed. Older ones go once a
/// newer one is in place.
/// </summary>
/// <param name="folder">Where they lie.</param>
/// <param name="keep">How many are kept.</param>
internal sealed class CheckpointStore(string folder, int keep)
{
    private const string AsidePrefix = ".";

    /// <summary>Writes a checkpoint; one of the same step is replaced.</summary>
    /// <param name="model">Its parameters and buffers.</param>
    /// <param name="optimizerState">The optimiser's tensors.</param>
    /// <param name="state">All but the checksums.</param>
    /// <exception cref="IOException">The disk is full or the folder is not writable; the older checkpoints are as they were.</exception>
    public void Save(Model model, NamedTensors optimizerState, CheckpointState state)
    {
        var tensors = StateDict.Save(model);
        Save(tensors, optimizerState, state);
        foreach (var tensor in tensors.Values)
            tensor.Dispose();
    }

    /// <inheritdoc cref="Save(Model, NamedTensors, CheckpointState)"/>
    /// <param name="tensors">The model's parameters and buffers, in the types that they are kept in.</param>
    /// <param name="optimizerState">The optimiser's tensors.</param>
    /// <param name="state">All but the checksums.</param>
    /// <param name="cancellation">Asked between parts of the data.</param>
    public void Save(NamedTensors tensors, NamedTensors optimizerState, CheckpointState state, CancellationToken cancellation = default)
    {
        var path = Path.Combine(folder, Checkpoint.NameOf(state.Step));
        var aside = Path.Combine(folder, $"{AsidePrefix}{Checkpoint.NameOf(state.Step)}.{Guid.NewGuid():N}.partial");
        try
        {
            Directory.CreateDirectory(aside);
            SafeTensorsWriter.Write(Path.Combine(aside, Checkpoint.ModelName), tensors, cancellation: cancellation);
            SafeTensorsWriter.Write(Path.Combine(aside, Checkpoint.OptimizerName), optimizerState, cancellation: cancellation);
            RunJson.Write(Path.Combine(aside, Checkpoint.StateName), state with
            {
                Files = new[] { Checkpoint.ModelName, Checkpoint.OptimizerName }
                    .ToDictionary(name => name, name => Describe(Path.Combine(aside, name), cancellation)),
            });
            if (Directory.Exists(path))
                Remove(path);
            Directory.Move(aside, path);
        }
        catch
        {
            if (Directory.Exists(aside))
                Directory.Delete(aside, recursive: true);
            throw;
        }
        // Later steps than this one are what resuming passed over: not whole, and about to be made again.
        var later = Steps().Where(step => step > state.Step);
        var older = Steps().Where(step => step < state.Step).OrderDescending().Skip(keep - 1);
        foreach (var step in later.Concat(older).ToList())
            Remove(Path.Combine(folder, Checkpoint.NameOf(step)));
    }

    /// <summary>CPU seconds of a run up to its newest checkpoint; null where there is none that says.</summary>
    /// <param name="folder">The run's checkpoints.</param>
    /// <remarks>Times stand in state.json, and not among the evaluations of metrics.jsonl, which are the same however often a run was stopped.</remarks>
    public static double? CpuSecondsOf(string folder)
    {
        if (!Directory.Exists(folder))
            return null;
        try
        {
            var newest = Directory.EnumerateDirectories(folder).Select(Checkpoint.StepOf).Max();
            return newest is { } step && RunJson.Read<CheckpointState>(Path.Combine(folder, Checkpoint.NameOf(step), Checkpoint.StateName), "a checkpoint's state").CpuSeconds is > 0 and var seconds
                ? Math.Round(seconds, 1) : null;
        }
        catch (Exception e) when (e is BadFileException or IOException or UnauthorizedAccessException)
        {
            return null;            // a figure beside the results: a run is not refused for it
        }
    }

    /// <summary>The newest whole checkpoint, or null when none was ever written.</summary>
    /// <param name="passedOver">Told in a sentence about each newer one that is not whole.</param>
    /// <param name="cancellation">Asked between parts of the files.</param>
    /// <exception cref="BadFileException">There are checkpoints, and none is whole.</exception>
    public Checkpoint? NewestWhole(Action<string> passedOver, CancellationToken cancellation = default)
    {
        var faults = new List<string>();
        foreach (var step in Steps().OrderDescending())
        {
            try
            {
                var checkpoint = Checkpoint.Open(Path.Combine(folder, Checkpoint.NameOf(step)), cancellation);
                foreach (var fault in faults)
                    passedOver($"A newer checkpoint is passed over, because it is not whole: {fault}");
                return checkpoint;
            }
            catch (BadFileException e)
            {
                faults.Add(e.Message);
            }
        }
        return faults.Count == 0
            ? null
            : throw new BadFileException($"No checkpoint in '{folder}' is whole:\n{string.Join('\n', faults.Select(f => "  " + f))}");
    }

    /// <summary>Removes what an interrupted write or removal left behind.</summary>
    public void RemoveLeftovers()
    {
        if (!Directory.Exists(folder))
            return;
        foreach (var path in Directory.EnumerateDirectories(folder, AsidePrefix + "step-*").ToList())
            Directory.Delete(path, recursive: true);
    }

    private IEnumerable<long> Steps() => Directory.Exists(folder)
        ? [.. Directory.EnumerateDirectories(folder).Select(Checkpoint.StepOf).OfType<long>()]
        : [];

    /// <summary>Takes a checkpoint out of sight first, so that no half-removed one is ever found.</summary>
    private void Remove(string path)
    {
        var aside = Path.Combine(folder, $"{AsidePrefix}{Path.GetFileName(path)}.{Guid.NewGuid():N}.removing");
        Directory.Move(path, aside);
        Directory.Delete(aside, recursive: true);
    }

    private static CheckpointState.FileState Describe(string path, CancellationToken cancellation) =>
        new(new FileInfo(path).Length, FileHash.Sha256(path, cancellation));
}
