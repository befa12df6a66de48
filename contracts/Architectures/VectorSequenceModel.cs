using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Architectures;

/// <summary>A model over sequences of vectors: a classifier of whole sequences, or an encoder.</summary>
/// <param name="name">The module's name, for messages.</param>
public abstract class VectorSequenceModel(string name) : Model(name)
{
    /// <inheritdoc/>
    public sealed override ModelKind Kind => ModelKind.VectorSequence;

    /// <summary>Width of the input vectors.</summary>
    public abstract int InputDim { get; }

    /// <summary>Class scores of whole sequences.</summary>
    /// <param name="x">[batch, time, dim].</param>
    /// <returns>[batch, class].</returns>
    public abstract Tensor Logits(Tensor x);

    /// <inheritdoc/>
    public override ModelOutput Run(Batch batch)
    {
        if (batch is not VectorBatch vectors)
            throw new ArgumentException($"{GetName()} takes batches of vector sequences, not {batch.GetType().Name}.", nameof(batch));
        Shape.Require(vectors.Inputs, "inputs", Shape.Any, Shape.Any, InputDim);
        var logits = Logits(vectors.Inputs);
        return new ModelOutput(logits, nn.functional.cross_entropy(logits, vectors.Labels));
    }

    /// <summary>`x` to `logits`; an encoder overrides it with its own outputs.</summary>
    public override NamedTensors RunCase(NamedTensors inputs) => new() { ["logits"] = Logits(inputs["x"]) };
}
