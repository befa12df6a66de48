using Zoo.Architectures;

namespace Zoo.XLstm.Model;

/// <summary>What a model remembers between tokens: a state a block.</summary>
internal sealed class XLstmState(IReadOnlyList<BlockState> blocks) : ModelState
{
    public IReadOnlyList<BlockState> Blocks => blocks;

    public override ModelState Clone() => new XLstmState([.. blocks.Select(b => b.Clone())]);

    public override void Dispose()
    {
        foreach (var block in blocks)
            block.Dispose();
    }
}
