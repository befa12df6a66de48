namespace Zoo.LeNet;

/// <summary>The nonlinearity of the three hidden layers.</summary>
public enum LeNetActivation
{
    /// <summary>tanh, as in 1989.</summary>
    Tanh,

    /// <summary>max(0, x).</summary>
    Relu,
}
