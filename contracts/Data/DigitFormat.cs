namespace Zoo.Data;

/// <summary>Which set of handwritten digits some files are.</summary>
public enum DigitFormat
{
    /// <summary>MNIST: 28 × 28 bytes in IDX files.</summary>
    Mnist,

    /// <summary>USPS: 16 × 16 values in text files.</summary>
    Usps,
}
