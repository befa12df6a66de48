using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>Base of the properties that only models over tokens can have: evaluation mode, no gradients, hidden states.</summary>
/// <param name="needs">The abilities that promise it; one of them suffices.</param>
internal abstract class TokenProperty(ModelAbilities needs) : IModelProperty
{
    /// <summary>
    /// Allowed difference in terms of the largest hidden state. Two forms of one model sum in other orders; float32 leaves about 1e-6
    /// over a few hundred tokens.
    /// </summary>
    protected const double Tolerance = 1e-4;

    public abstract string Name { get; }

    public bool AppliesTo(ArchitectureInfo info) => info.Kind == ModelKind.TokenModel && (info.Abilities & needs) != 0;

    public PropertyOutcome Check(ModelSubject subject)
    {
        using var built = subject.Build();
        if (built is not TokenModel && subject.Info.OtherKinds.Contains(built.Kind))
            return PropertyOutcome.CannotAsk($"The preset {subject.Preset} builds a {built.Kind}, which {subject.Info.Name} says it may.");
        if (built is not TokenModel model)
            return PropertyOutcome.Fails($"{subject.Info.Name} says that it is a token model, and the preset {subject.Preset} builds a {built.Kind}.");
        model.eval();
        using var noGradient = no_grad();
        return Check(subject, model);
    }

    /// <summary>Asks it of a model in evaluation mode; gradients are off.</summary>
    protected abstract PropertyOutcome Check(ModelSubject subject, TokenModel model);

    /// <summary>Lengths that the model takes; in place of those that are too long, its longest.</summary>
    protected static IEnumerable<int> Bounded(TokenModel model, params IEnumerable<int> lengths) =>
        model.MaximumLength is { } longest ? lengths.Select(l => Math.Min(l, longest)).Where(l => l > 0).Distinct() : lengths;

    /// <summary>Whether the model takes so long a sequence.</summary>
    protected static bool Takes(TokenModel model, int length) => !(length > model.MaximumLength);

    /// <summary>A fresh state.</summary>
    /// <exception cref="UserException">The model gives none.</exception>
    protected static ModelState NewState(TokenModel model, int batch) => model.NewState(batch)
        ?? throw new UserException($"{model.GetName()} promises a step form, and NewState gives no state.");

    /// <summary>Steps through ids and returns every hidden state, [batch, time, dim]. Each step is a dispose scope, as in generation.</summary>
    protected static Tensor StepThrough(TokenModel model, Tensor ids, ModelState state)
    {
        var hidden = new List<Tensor>();
        foreach (var column in ids.unbind(1))
        {
            using var step = NewDisposeScope();
            hidden.Add(model.Step(column, state).MoveToOuterDisposeScope());
        }
        return stack(hidden, dim: 1);
    }

    /// <summary>A piece of a sequence from a state, [batch, time, dim], in a dispose scope of its own.</summary>
    protected static Tensor Piece(TokenModel model, Tensor ids, ModelState state)
    {
        using var piece = NewDisposeScope();
        return model.Hidden(ids, state).MoveToOuterDisposeScope();
    }

    /// <summary>Compares hidden states.</summary>
    protected static PropertyOutcome Same(Tensor got, Tensor expected, string meaning)
    {
        var scale = expected.numel() == 0 ? 1 : Math.Max(1e-3, expected.abs().max().to(ScalarType.Float64).item<double>());
        return PropertyOutcome.Of(TensorComparison.Compare("hidden", got, expected, Tolerance * scale, 0), meaning);
    }
}
