using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Architectures;

/// <summary>A model from images to class scores.</summary>
/// <param name="name">The module's name, for messages.</param>
public abstract class ImageClassifier(string name) : Model(name)
{
    /// <inheritdoc/>
    public sealed override ModelKind Kind => ModelKind.ImageClassifier;

    /// <summary>The images it takes: channel, height, width.</summary>
    public abstract ImageShape Input { get; }

    /// <summary>How many classes it tells apart.</summary>
    public abstract int ClassCount { get; }

    /// <summary>Class scores.</summary>
    /// <param name="images">[batch, channel, height, width], in the range that the task's preparation gives.</param>
    /// <returns>[batch, class]; the largest is the answer.</returns>
    public abstract Tensor Logits(Tensor images);

    /// <summary>The training loss; softmax cross-entropy unless the paper has another.</summary>
    /// <param name="logits">[batch, class].</param>
    /// <param name="labels">Class numbers, int64 [batch].</param>
    /// <returns>The mean over the batch, a scalar.</returns>
    public virtual Tensor Loss(Tensor logits, Tensor labels) => nn.functional.cross_entropy(logits, labels);

    /// <inheritdoc/>
    public override ModelOutput Run(Batch batch)
    {
        if (batch is not ImageBatch images)
            throw new ArgumentException($"{GetName()} takes image batches, not {batch.GetType().Name}.", nameof(batch));
        Shape.Require(images.Images, "images", Shape.Any, Input.Channels, Input.Height, Input.Width);
        var logits = Logits(images.Images);
        return new ModelOutput(logits, Loss(logits, images.Labels));
    }

    /// <summary>`x` to `logits`, and, where `y` [batch, class] in {-1, 1} is given, `loss` [1].</summary>
    public override NamedTensors RunCase(NamedTensors inputs)
    {
        var logits = Logits(inputs["x"]);
        var outputs = new NamedTensors { ["logits"] = logits };
        if (inputs.TryGetValue("y", out var y))
            outputs["loss"] = Loss(logits, y.argmax(dim: 1)).reshape(1);
        return outputs;
    }
}
