using TorchSharp;

namespace Zoo.Tasks;

/// <summary>Token sequences with targets at some of their positions.</summary>
/// <param name="ids">int64 [batch, time].</param>
/// <param name="scoredPositions">Positions with a target, int64 [n], as row × time + column.</param>
/// <param name="targets">The ids expected there, int64 [n].</param>
public sealed class TokenBatch(torch.Tensor ids, torch.Tensor scoredPositions, torch.Tensor targets) : Batch
{
    /// <summary>int64 [batch, time].</summary>
    public torch.Tensor Ids { get; } = ids;

    /// <summary>Positions with a target, int64 [n], as row × time + column.</summary>
    public torch.Tensor ScoredPositions { get; } = scoredPositions;

    /// <summary>The ids expected there, int64 [n].</summary>
    public torch.Tensor Targets { get; } = targets;

    /// <summary>Whether every position has a target, and the targets are in the positions' order.</summary>
    public bool AllScored
    {
        get
        {
            if (ScoredPositions.shape[0] != Ids.numel())
                return false;
            using var all = torch.arange(Ids.numel(), torch.int64, Ids.device);
            return ScoredPositions.Equals(all);
        }
    }

    /// <inheritdoc/>
    public override int Count => (int)Ids.shape[0];

    /// <inheritdoc/>
    public override long TargetCount => Targets.shape[0];

    /// <inheritdoc/>
    public override Batch To(torch.Device device) => new TokenBatch(Ids.to(device), ScoredPositions.to(device), Targets.to(device));

    /// <inheritdoc/>
    public override Batch Share() => new TokenBatch(Ids.alias(), ScoredPositions.alias(), Targets.alias());

    /// <inheritdoc/>
    public override void Dispose()
    {
        Ids.Dispose();
        ScoredPositions.Dispose();
        Targets.Dispose();
    }
}
