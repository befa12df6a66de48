namespace Zoo.LeNet;

/// <summary>The nonlinearity of the hidden layers.</summary>
public enum BatchNormMlpActivation
{
    /// <summary>1 / (1 + e^-x), as in the paper.</summary>
    Sigmoid,

    /// <summary>tanh.</summary>
    Tanh,

    /// <summary>max(0, x).</summary>
    Relu,
}
