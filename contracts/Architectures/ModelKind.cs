namespace Zoo.Architectures;

/// <summary>What a model takes and gives, and so what the harness may ask of it.</summary>
public enum ModelKind
{
    /// <summary>Ids [batch, time] to logits over a vocabulary: <see cref="Architectures.TokenModel"/>.</summary>
    TokenModel,

    /// <summary>Images [batch, channel, height, width] to class scores: <see cref="Architectures.ImageClassifier"/>.</summary>
    ImageClassifier,

    /// <summary>Vectors [batch, time, dim] to class scores or vectors: <see cref="Architectures.VectorSequenceModel"/>.</summary>
    VectorSequence,
}
