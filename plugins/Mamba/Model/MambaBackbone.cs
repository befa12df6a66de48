using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.Mamba.Model;

/// <summary>Embedding, blocks and the last norm.</summary>
internal sealed class MambaBackbone : nn.Module
{
    private const double EmbeddingDeviation = 0.02;

    [ComponentName(Name = "embedding")]
    private readonly WeightAndBias _embedding;

    [ComponentName(Name = "layers")]
    private readonly ModuleList<MambaBlock> _blocks = [];

    [ComponentName(Name = "norm_f")]
    private readonly WeightAndBias _norm;

    private readonly BuildContext _context;
    private readonly bool _isRms, _isSelective;

    public MambaBackbone(MambaConfig config, BuildContext context)
        : base(nameof(MambaBackbone))
    {
        _context = context;
        _isRms = config.RmsNorm;
        _isSelective = config.Mixer.Selective;
        _embedding = new WeightAndBias("embedding", empty(config.PaddedVocabSize, config.ModelDim).normal_(0, EmbeddingDeviation));
        for (var i = 0; i < config.LayerCount; i++)
            _blocks.Add(new MambaBlock(config, context));
        _norm = WeightAndBias.Norm("norm_f", config.ModelDim, hasBias: !_isRms);
        RegisterComponents();
    }

    public Tensor Embedding => _embedding.Weight;

    public MambaState NewState(int batch) => new([.. _blocks.Select(b => b.NewState(batch))]);

    /// <param name="ids">int64 [batch, time].</param>
    /// <param name="state">Changed to the final one; null for none.</param>
    /// <returns>[batch, time, dim].</returns>
    public Tensor Forward(Tensor ids, MambaState? state)
    {
        using var scope = NewDisposeScope();
        var hidden = MixedPrecision.Embed(ids, Embedding);
        Tensor? residual = null;
        for (var i = 0; i < _blocks.Count; i++)
            (hidden, residual) = _blocks[i].Forward(hidden, residual, state?.Layers[i]);
        return MambaBlock.Normalise(hidden, residual, _norm, _isRms, _context.Kernels).Normed.MoveToOuterDisposeScope();
    }

    /// <summary>One token a sequence, without gradients.</summary>
    /// <param name="ids">int64 [batch].</param>
    /// <param name="state">Changed.</param>
    /// <returns>[batch, dim].</returns>
    public Tensor Step(Tensor ids, MambaState state)
    {
        using var scope = NewDisposeScope();
        var hidden = MixedPrecision.Embed(ids, Embedding);
        Tensor? residual = null;
        if (_isSelective)
        {
            if (state.Steps is null || !state.Steps.Fit(hidden))
                state.Steps = new MambaSteps([.. _blocks], state.Layers, hidden);
            (hidden, residual) = state.Steps.Run(hidden);
        }
        else
        {
            for (var i = 0; i < _blocks.Count; i++)
                (hidden, residual) = _blocks[i].Step(hidden, residual, state.Layers[i]);
        }
        return MambaBlock.Normalise(hidden, residual, _norm, _isRms, _context.Kernels).Normed.MoveToOuterDisposeScope();
    }
}
