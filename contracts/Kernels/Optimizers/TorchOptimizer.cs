using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>torch's own optimiser over the rows of an op's arguments, to compare with. It is made at the first call, and keeps its state.</summary>
/// <param name="create">From parameters and options.</param>
internal sealed class TorchOptimizer(Func<IEnumerable<Parameter>, OpOptions, optim.Optimizer> create)
{
    private optim.Optimizer? _optimizer;
    private List<Parameter> _parameters = [];

    /// <summary>One update in place.</summary>
    public NamedTensors Step(NamedTensors inputs, OpOptions options)
    {
        if (_optimizer is null)
        {
            var gradients = inputs["grads"].unbind(0);
            _parameters = [.. inputs["params"].unbind(0).Select((row, i) => new Parameter(row) { grad = gradients[i] })];
            foreach (var parameter in _parameters)
                parameter.DetachFromDisposeScope();
            _optimizer = create(_parameters, options);
        }
        if (UpdateOp.LargestNorm(options) is > 0 and var largest)
            nn.utils.clip_grad_norm_(_parameters, largest);
        _optimizer.step();
        return [];
    }
}
