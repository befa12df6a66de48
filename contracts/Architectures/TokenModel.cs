using TorchSharp;
using Zoo.Kernels;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Architectures;

/// <summary>A model from token ids to logits over a vocabulary, hidden states and head apart.</summary>
/// <param name="name">The module's name, for messages.</param>
public abstract class TokenModel(string name) : Model(name)
{
    /// <inheritdoc/>
    public sealed override ModelKind Kind => ModelKind.TokenModel;

    /// <summary>How many ids it knows; the logits may be wider where upstream pads them.</summary>
    public abstract int VocabSize { get; }

    /// <summary>The longest sequence it takes, or null where there is no bound.</summary>
    public virtual int? MaximumLength => null;

    /// <summary>
    /// Whether outputs at a time depend on nothing later and on no other row, exactly: what <see cref="ModelAbilities.Causal"/> promises. The harness
    /// sets it to what the architecture says, false until then; a model with settings under which it is not so overrides it.
    /// </summary>
    public virtual bool IsCausal { get; set; }

    /// <summary>Hidden states before the head, for a whole sequence.</summary>
    /// <param name="ids">int64 [batch, time].</param>
    /// <returns>[batch, time, dim].</returns>
    public abstract Tensor Hidden(Tensor ids);

    /// <summary>Logits of hidden states; a task passes only the positions it scores.</summary>
    /// <param name="hidden">[..., dim].</param>
    /// <returns>[..., vocabulary].</returns>
    public abstract Tensor Head(Tensor hidden);

    /// <summary>A fresh state for the step form, or null where <see cref="ModelAbilities.Step"/> is not promised.</summary>
    /// <param name="batch">How many sequences it carries.</param>
    public virtual ModelState? NewState(int batch) => null;

    /// <summary>One token a sequence: the step form.</summary>
    /// <param name="ids">int64 [batch].</param>
    /// <param name="state">Changed in place.</param>
    /// <returns>Hidden states, [batch, dim].</returns>
    /// <exception cref="NotSupportedException">The architecture has no step form.</exception>
    public virtual Tensor Step(Tensor ids, ModelState state) => throw new NotSupportedException($"{GetName()} has no step form.");

    /// <summary>A whole sequence from a state, which is changed to the final one: prefill.</summary>
    /// <param name="ids">int64 [batch, time].</param>
    /// <param name="state">Changed in place.</param>
    /// <returns>Hidden states, [batch, time, dim]. The default steps through the tokens.</returns>
    public virtual Tensor Hidden(Tensor ids, ModelState state)
    {
        var length = ids.shape[1];
        var hidden = new Tensor[length];
        for (var t = 0; t < length; t++)
        {
            using var column = ids.select(1, t);
            hidden[t] = Step(column, state);
        }
        var all = stack(hidden, dim: 1);
        foreach (var h in hidden)
            h.Dispose();
        return all;
    }

    /// <summary>
    /// Mean cross-entropy of the head's logits. A model whose head is one matrix overrides it with <see cref="Kernels.CrossEntropy"/>, which
    /// never holds all logits at once.
    /// </summary>
    /// <param name="hidden">[n, dim].</param>
    /// <param name="targets">int64 [n].</param>
    /// <returns>A scalar.</returns>
    public virtual Tensor HeadLoss(Tensor hidden, Tensor targets)
    {
        using var logits = Head(hidden);
        return nn.functional.cross_entropy(logits, targets);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// The head and the loss see only positions with a target, and where the model is causal, the model itself sees nothing of a row behind its last one. On a processor rows that end
    /// early are then taken apart from long ones.
    /// </remarks>
    public override ModelOutput Run(Batch batch)
    {
        var tokens = Tokens(batch);
        using var scope = NewDisposeScope();
        var logits = Parts(tokens) is { } parts ? InOrder(parts) : Head(Scored(tokens));   // [n, vocabulary]
        var loss = nn.functional.cross_entropy(logits, tokens.Targets);
        return new ModelOutput(logits.MoveToOuterDisposeScope(), loss.MoveToOuterDisposeScope());
    }

    /// <inheritdoc/>
    public override Tensor TrainingLoss(Batch batch)
    {
        var tokens = Tokens(batch);
        using var scope = NewDisposeScope();
        if (Parts(tokens) is not { } parts)
            return HeadLoss(Scored(tokens), tokens.Targets).MoveToOuterDisposeScope();
        Tensor? loss = null;
        foreach (var part in parts)
        {
            using Scalar share = (double)part.Batch.TargetCount / tokens.TargetCount;
            var own = HeadLoss(Scored(part.Batch), part.Batch.Targets).mul(share);
            loss = loss?.Plus(own) ?? own;
        }
        return loss!.MoveToOuterDisposeScope();
    }

    /// <summary>`ids` to `logits` [batch, time, vocabulary].</summary>
    public override NamedTensors RunCase(NamedTensors inputs) => new() { ["logits"] = Head(Hidden(inputs["ids"])) };

    private TokenBatch Tokens(Batch batch) => batch as TokenBatch
        ?? throw new ArgumentException($"{GetName()} takes token batches, not {batch.GetType().Name}.", nameof(batch));

    private IReadOnlyList<TokenPart>? Parts(TokenBatch tokens) => IsCausal && tokens.Ids.device_type == DeviceType.CPU ? TokenPart.Of(tokens) : null;

    /// <summary>Logits of several parts as the whole batch has its targets, [n, vocabulary].</summary>
    private Tensor InOrder(IReadOnlyList<TokenPart> parts)
    {
        var logits = cat([.. parts.Select(part => Head(Scored(part.Batch)))], 0);
        var places = new long[logits.shape[0]];
        foreach (var (place, target) in parts.SelectMany(part => part.Order).Index())
            places[target] = place;
        return logits.index_select(0, tensor(places));
    }

    /// <summary>Hidden states of the positions with a target, [n, dim].</summary>
    private Tensor Scored(TokenBatch tokens)
    {
        var hidden = Hidden(tokens.Ids).flatten(0, 1);
        return tokens.AllScored ? hidden : hidden.index_select(0, tokens.ScoredPositions);   // the copy, and its backward, are worth sparing
    }
}
