namespace Zoo.LeNet;

/// <summary>Which digits of a real set are trained on and held out, and in which order.</summary>
public enum DigitSplit
{
    /// <summary>Of MNIST those of the 1989 reproduction, as the plugin lists them; USPS as it is: these are the digits of 1989.</summary>
    Lecun1989,

    /// <summary>Drawn by `split_seed` from the training and from the test file.</summary>
    Random,

    /// <summary>MNIST by the files train-indices.txt and test-indices.txt that lie with the data.</summary>
    Lists,
}
