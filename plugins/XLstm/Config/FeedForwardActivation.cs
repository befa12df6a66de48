using System.Text.Json.Serialization;

namespace Zoo.XLstm.Config;

/// <summary>The nonlinearity of a feed-forward part's gate.</summary>
public enum FeedForwardActivation
{
    /// <summary>GELU with the normal distribution itself.</summary>
    Gelu,

    /// <summary>ReLU.</summary>
    Relu,

    /// <summary>ReLU squared.</summary>
    [JsonStringEnumMemberName("relu^2")] ReluSquared,

    /// <summary>Sigmoid.</summary>
    Sigmoid,

    /// <summary>x · σ(x).</summary>
    Swish,

    /// <summary>SELU.</summary>
    Selu,
}
