using System.Text.Json.Serialization;

namespace Zoo.Training;

/// <summary>Which optimiser updates the parameters.</summary>
public enum OptimizerKind
{
    /// <summary>Stochastic gradient descent, with momentum where it is set.</summary>
    Sgd,

    /// <summary>Adam with decoupled weight decay (Loshchilov and Hutter 2019).</summary>
    [JsonStringEnumMemberName("adamw")] AdamW,
}
