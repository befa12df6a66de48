using Zoo.Architectures;

namespace Zoo.Tasks;

/// <summary>What a task tells a model: the sizes of inputs and outputs.</summary>
/// <param name="Kind">The kind of model it is for.</param>
public sealed record TaskShape(ModelKind Kind)
{
    /// <summary>How many token ids there are.</summary>
    public int? VocabSize { get; init; }

    /// <summary>How many classes there are.</summary>
    public int? ClassCount { get; init; }

    /// <summary>Length of the sequences it trains on.</summary>
    public int? Length { get; init; }

    /// <summary>The longest sequence that it trains or evaluates on.</summary>
    public int? MaximumLength { get; init; }

    /// <summary>The images it gives.</summary>
    public ImageShape? Image { get; init; }

    /// <summary>Width of the vectors it gives.</summary>
    public int? InputDim { get; init; }
}
