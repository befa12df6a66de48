using System.Text.Json.Serialization;
using Zoo.Configuration;
using Zoo.Training;

namespace Zoo.Architectures;

/// <summary>Hyperparameters of a model, under the original project's keys.</summary>
public abstract record ModelConfig : Settings
{
    /// <summary>How this config is trained unless the user says otherwise; values left null are the task's or the host's.</summary>
    [JsonIgnore]
    public virtual TrainingSettings Training => new();
}
