namespace Zoo.LeNet;

/// <summary>Sizes of [batch, channel, element].</summary>
internal readonly record struct BatchNormSizes(long Batch, int Channels, long Elements)
{
    /// <summary>Values of all channels.</summary>
    public long Total => Batch * Channels * Elements;

    /// <summary>Values of a channel.</summary>
    public long Count => Batch * Elements;

    /// <summary>From an image to the next.</summary>
    public long Stride => Channels * Elements;
}
