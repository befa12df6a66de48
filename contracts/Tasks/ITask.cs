using Zoo.Configuration;

namespace Zoo.Tasks;

/// <summary>What a model is trained on and scored by: data and metrics, no model code.</summary>
public interface ITask
{
    /// <summary>Its name, the skill it probes and an example.</summary>
    TaskInfo Info { get; }

    /// <summary>Its options (difficulty, variants) with their defaults; the user sets them as `--set task.key=value`.</summary>
    Settings Options { get; }

    /// <summary>Reads or generates the data.</summary>
    /// <exception cref="ConfigException">Options are wrong.</exception>
    /// <exception cref="Files.BadFileException">A data file is missing, truncated or foreign.</exception>
    TaskData Open(TaskRequest request);
}
