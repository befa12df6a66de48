using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Model;

/// <summary>Embedding, blocks and the last norm.</summary>
internal sealed class MatMulFreeBody : nn.Module
{
    [ComponentName(Name = "embeddings")]
    private readonly Weight _embedding;

    [ComponentName(Name = "lower_bounds")]
    private readonly Parameter? _lowerBounds;

    [ComponentName(Name = "layers")]
    private readonly ModuleList<MatMulFreeBlock> _blocks = [];

    [ComponentName(Name = "norm")]
    private readonly Weight _norm;

    private readonly MatMulFreeConfig _config;
    private readonly double _epsilon;
    private readonly BuildContext _context;

    public MatMulFreeBody(MatMulFreeConfig config, BuildContext context)
        : base(nameof(MatMulFreeBody))
    {
        _config = config;
        (_epsilon, _context) = (config.NormEpsilon, context);
        _embedding = Weight.Large("embeddings", config.VocabSize, config.ModelDim, w => w.normal_(0, config.InitialSpread), context);
        ClearPadding();
        if (config.UseLowerBound)
            _lowerBounds = new Parameter(zeros(config.LayerCount, config.LowerBoundDim));
        for (var i = 0; i < config.LayerCount; i++)
            _blocks.Add(new MatMulFreeBlock(config, context));
        _norm = Weight.Norm("norm", config.ModelDim);
        RegisterComponents();
    }

    /// <summary>The table, [vocabulary, dim].</summary>
    public Weight Embedding => _embedding;

    public MatMulFreeState NewState(int batch) => new([.. _blocks.Select(b => b.NewState(batch))]);

    /// <summary>One token a sequence on packed weights, in one call.</summary>
    /// <param name="ids">int64 [batch].</param>
    /// <param name="state">Changed.</param>
    /// <returns>[batch, dim].</returns>
    public Tensor PackedStep(Tensor ids, MatMulFreeState state)
    {
        using var noGradient = no_grad();
        var decoder = state.Decoder ??= new PackedDecoder(_config, _blocks, (int)state.Layers[0].Hidden.size(0), LowerBoundTable());
        return decoder.Run(ids, _embedding.Value, _norm.Value, state);
    }

    /// <param name="ids">int64 [batch, time].</param>
    /// <param name="state">Changed to the final one; null for none.</param>
    /// <returns>[batch, time, dim].</returns>
    public Tensor Forward(Tensor ids, MatMulFreeState? state)
    {
        using var scope = NewDisposeScope();
        var hidden = Embed(ids);
        var bounds = LowerBounds();
        Tensor? residual = null;
        for (var i = 0; i < _blocks.Count; i++)
        {
            var (mixed, added) = (hidden, residual);
            (hidden, residual) = _blocks[i].Forward(hidden, residual, i == 0 ? null : bounds?[i], state?.Layers[i]);
            Free(mixed);        // what a gradient needs of them, its graph holds
            Free(added);
        }
        return MatMulFreeBlock.Normalise(hidden, residual, _norm, _epsilon, _context.Kernels).Normed.MoveToOuterDisposeScope();

        void Free(Tensor? tensor)
        {
            if (!ReferenceEquals(tensor, hidden) && !ReferenceEquals(tensor, residual))
                tensor?.Dispose();
        }
    }

    /// <summary>Rows of the table. That of the padding has no gradient.</summary>
    private Tensor Embed(Tensor ids)
    {
        using var scope = NewDisposeScope();
        var rows = MixedPrecision.Embed(ids, _embedding.Value);
        if (_config.PaddingRow is { } padding && rows.requires_grad)
        {
            using Scalar row = padding;
            rows = where(ids.eq(row).unsqueeze(-1), rows.detach(), rows);
        }
        return rows.MoveToOuterDisposeScope();
    }

    private void ClearPadding()
    {
        if (_config.PaddingRow is not { } padding)
            return;
        using var noGradient = no_grad();
        using var row = _embedding.Value.narrow(0, padding, 1);
        row.zero_();
    }

    /// <summary>
    /// Each layer's bound, [inner dim]: a softmax over layers gives each a share of 1, and a layer's bound is the sum of the shares up to its own,
    /// the first layer's left out. Null without bounds.
    /// </summary>
    private Tensor[]? LowerBounds() => LowerBoundTable()?.unbind(0);

    private Tensor? LowerBoundTable()
    {
        if (_lowerBounds is null)
            return null;
        using var scope = NewDisposeScope();
        var shares = _lowerBounds.softmax(0);
        return (shares.cumsum(0) - shares.narrow(0, 0, 1)).MoveToOuterDisposeScope();
    }
}
