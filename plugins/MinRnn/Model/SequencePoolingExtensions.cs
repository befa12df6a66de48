using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>Applies a <see cref="SequencePooling"/>.</summary>
internal static class SequencePoolingExtensions
{
    /// <param name="pooling">Which.</param>
    /// <param name="hidden">[batch, time, dim].</param>
    /// <returns>[batch, dim]; without pooling as it is.</returns>
    public static Tensor Apply(this SequencePooling pooling, Tensor hidden) => pooling switch
    {
        SequencePooling.Mean => hidden.mean([1]),
        SequencePooling.Last => hidden.select(1, -1),
        _ => hidden,
    };
}
