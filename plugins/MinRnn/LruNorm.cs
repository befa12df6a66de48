namespace Zoo.MinRnn;

/// <summary>The normalisation of an LRU layer.</summary>
public enum LruNorm
{
    /// <summary>Over the dimensions of a step.</summary>
    Layer,

    /// <summary>Over batch and time, with running statistics for evaluation.</summary>
    Batch,
}
