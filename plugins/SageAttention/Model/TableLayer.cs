using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>A table of learned vectors: of tokens, or of positions.</summary>
internal sealed class TableLayer : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    /// <param name="rows">How many vectors.</param>
    /// <param name="dim">Their width.</param>
    /// <param name="spread">Standard deviation of their initial values.</param>
    public TableLayer(long rows, long dim, double spread) : base(nameof(TableLayer))
    {
        _weight = new Parameter(empty(rows, dim).normal_(0, spread));
        RegisterComponents();
    }

    /// <summary>The table, [row, dim].</summary>
    public Parameter Weight => _weight;

    /// <summary>Vectors of ids, [..., dim].</summary>
    public override Tensor forward(Tensor ids) => MixedPrecision.Embed(ids, _weight);

    /// <summary>Vectors <paramref name="first"/> and on, [count, dim].</summary>
    public Tensor Rows(long first, long count)
    {
        var rows = _weight.narrow(0, first, count);
        return rows.dtype == ScalarType.BFloat16 ? rows.to(ScalarType.Float32) : rows;
    }
}
