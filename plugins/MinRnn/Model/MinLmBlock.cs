using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>A block: convolution, normalisation, recurrence, normalisation, feed-forward, each added to the residual stream.</summary>
/// <remarks>
/// Sums are put off until the next normalisation, which adds and normalises in one pass; so what goes from block to block is the stream and
/// what is still to be added to it.
/// </remarks>
internal sealed class MinLmBlock : nn.Module
{
    [ComponentName(Name = "0")] private readonly CausalConvLayer? _conv;
    [ComponentName(Name = "1")] private readonly RmsNormLayer _norm;
    [ComponentName(Name = "2")] private readonly Mixer _mixer;
    [ComponentName(Name = "3")] private readonly RmsNormLayer? _feedForwardNorm;
    [ComponentName(Name = "4")] private readonly FeedForward? _feedForward;
    private readonly double _dropout;

    public MinLmBlock(MinLmConfig config, Mixer mixer, BuildContext context) : base(nameof(MinLmBlock))
    {
        _dropout = config.Dropout;
        _conv = config.EnableConv ? new CausalConvLayer(config, context) : null;
        _norm = new RmsNormLayer(config.ModelDim, context);
        _mixer = mixer;
        if (config.FeedForwardDim > 0)
        {
            _feedForwardNorm = new RmsNormLayer(config.ModelDim, context);
            _feedForward = new FeedForward(config, context);
        }
        RegisterComponents();
    }

    /// <summary>Shapes of what it remembers of one sequence.</summary>
    public IReadOnlyList<long[]> StateShapes => [.. _conv?.StateShapes ?? [], .. _mixer.StateShapes];

    /// <param name="stream">[batch, time, dim].</param>
    /// <param name="addend">What is still to be added to it; null for nothing.</param>
    /// <param name="state">Changed to the final one.</param>
    /// <param name="random">For dropout; null in evaluation.</param>
    /// <returns>The same two.</returns>
    public (Tensor Stream, Tensor? Addend) Forward(Tensor stream, Tensor? addend, StateSlots state, CounterRandom? random)
    {
        if (_conv is not null)
        {
            if (addend is not null)
                stream += addend;
            addend = _conv.Forward(stream, state);
            state = state.From(_conv.StateShapes.Count);
        }
        (var normalised, stream) = _norm.Forward(stream, addend);
        addend = _mixer.Forward(normalised, state);
        if (_feedForward is not null)
        {
            (normalised, stream) = _feedForwardNorm!.Forward(stream, addend);
            addend = _feedForward.forward(normalised);
        }
        return random is null || _dropout == 0 ? (stream, addend) : (Dropout.Apply(stream + addend, _dropout, random), null);
    }
}
