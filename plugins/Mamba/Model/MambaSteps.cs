using Zoo.Kernels;
using Zoo.Mamba.Ops.Step;
using static TorchSharp.torch;

namespace Zoo.Mamba.Model;

/// <summary>Every block's step, prepared for the tensors of one state.</summary>
/// <remarks>
/// The window of inputs has two halves, and each step reads one and fills the other: so both directions are prepared. The scan's states are changed where
/// they lie, each as it is read. The tensors between blocks are two pairs that take turns.
/// </remarks>
internal sealed class MambaSteps : IDisposable
{
    private readonly IReadOnlyList<MambaLayerState> _layers;
    private readonly Tensor _embedded;
    private readonly (Tensor Hidden, Tensor Sum)[] _streams;
    private readonly Tensor[] _spares;
    private readonly PreparedCall[][] _calls = new PreparedCall[2][];
    private readonly Tensor[] _expected;
    private int _turn;

    /// <param name="blocks">The parameters.</param>
    /// <param name="layers">The state; the window it has now becomes one half.</param>
    /// <param name="example">A step's input, for its sizes and type.</param>
    public MambaSteps(IReadOnlyList<MambaBlock> blocks, IReadOnlyList<MambaLayerState> layers, Tensor example)
    {
        _layers = layers;
        using var noGradient = no_grad();
        _embedded = Like(example);
        _streams = [(Like(example), Like(example)), (Like(example), Like(example))];
        _spares = [.. layers.Select(l => Like(l.Inputs))];
        _expected = [.. layers.Select(l => l.Inputs)];
        for (var turn = 0; turn < 2; turn++)
        {
            _calls[turn] = new PreparedCall[blocks.Count];
            for (var i = 0; i < blocks.Count; i++)
            {
                var (one, other, states) = (layers[i].Inputs, _spares[i], layers[i].States);
                var from = _streams[(i + 1) % 2];
                var to = _streams[i % 2];
                _calls[turn][i] = MambaStep.Prepare(
                    i == 0 ? _embedded : from.Hidden, i == 0 ? null : from.Sum, to.Hidden, to.Sum, blocks[i], layers[i].A,
                    (turn == 0 ? one : other, states), (turn == 0 ? other : one, states));
            }
        }

        static Tensor Like(Tensor tensor) => empty_like(tensor, requires_grad: false).DetachFromDisposeScope();
    }

    /// <summary>Whether the state still has the tensors that a step left it.</summary>
    public bool Fit(Tensor hidden)
    {
        for (var i = 0; i < _layers.Count; i++)
        {
            if (!ReferenceEquals(_layers[i].Inputs, _expected[i]))
                return false;
        }
        return hidden.dtype == _embedded.dtype;
    }

    /// <summary>Every block's step, and the state moved on.</summary>
    /// <param name="hidden">The embedding, [batch, dim].</param>
    /// <returns>The last mixer's output and the residual stream without it; they hold until the next step.</returns>
    public (Tensor Hidden, Tensor Residual) Run(Tensor hidden)
    {
        _embedded.copy_(hidden);
        foreach (var call in _calls[_turn])
            call.Run();
        _turn = 1 - _turn;
        for (var i = 0; i < _layers.Count; i++)
        {
            var filled = _spares[i];
            _spares[i] = _layers[i].Inputs;
            _layers[i].Exchange(filled);
            _expected[i] = filled;
        }
        return _streams[(_layers.Count + 1) % 2];
    }

    /// <summary>Frees all but the state.</summary>
    public void Dispose()
    {
        foreach (var call in _calls.SelectMany(calls => calls))
            call.Dispose();
        foreach (var (hidden, sum) in _streams)
        {
            hidden.Dispose();
            sum.Dispose();
        }
        foreach (var inputs in _spares)
            inputs.Dispose();
        _embedded.Dispose();
    }
}
