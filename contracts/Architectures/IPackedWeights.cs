namespace Zoo.Architectures;

/// <summary>
/// A model whose weights have a smaller form that it computes with, such as ternary codes of two bits: `zoo export --packed`, and what `zoo generate`
/// and `zoo bench --mode decode` hold in memory. Its architecture has <see cref="ModelAbilities.Packed"/>.
/// </summary>
public interface IPackedWeights
{
    /// <summary>Name of the form, which the file's metadata keep: "ternary-2bit".</summary>
    string PackedFormat { get; }

    /// <summary>Whether this model was built with <see cref="BuildContext.Packed"/>: its parameters and buffers are then the packed tensors.</summary>
    bool IsPacked { get; }

    /// <summary>The packed form of an unpacked model's weights. It needs nothing of this model but its names, so it may be without storage.</summary>
    /// <param name="weights">By the unpacked model's keys; every one, in float32, float16 or bfloat16.</param>
    /// <returns>By the keys of the packed model; what stays as it is comes back as the tensor that was given. The caller disposes them.</returns>
    NamedTensors Pack(NamedTensors weights);

    /// <summary>Checks values that shapes and types do not tell.</summary>
    /// <param name="packed">By the keys of the packed model.</param>
    /// <param name="source">Where they come from, for the message.</param>
    /// <exception cref="UserException">They mean nothing.</exception>
    void CheckPacked(NamedTensors packed, string source);
}
