namespace Zoo.LeNet;

/// <summary>What the last layer is trained for, and so what it computes.</summary>
public enum LeNetLoss
{
    /// <summary>Mean squared error of tanh outputs against -1 and 1, as in 1989; the output biases start at -1.</summary>
    Mse,

    /// <summary>Softmax cross-entropy of plain scores; the output biases start at 0.</summary>
    CrossEntropy,
}
