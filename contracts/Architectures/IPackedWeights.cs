namespace Zoo.Architectures;

/// <summary>A model whose weights can be written in a smaller form of its own, such as ternary codes of two bits: `zoo export --packed`.</summary>
public interface IPackedWeights
{
    /// <summary>Name of the form, which the file's metadata keep: "ternary-2bit".</summary>
    string PackedFormat { get; }

    /// <summary>The packed tensors. The caller disposes them.</summary>
    NamedTensors PackWeights();

    /// <summary>Fills the model from packed tensors, so that it computes what the packed one did.</summary>
    /// <param name="packed">As <see cref="PackWeights"/> gives them.</param>
    /// <param name="source">Where they come from, for the message.</param>
    /// <exception cref="UserException">They do not fit; every problem is named.</exception>
    void LoadPacked(NamedTensors packed, string source);
}
