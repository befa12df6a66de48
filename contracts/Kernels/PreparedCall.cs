using TorchSharp;

namespace Zoo.Kernels;

/// <summary>
/// A call of an op on tensors that stay: checked once, its backend chosen once, for what runs many times on the same memory. A step of decoding
/// calls an op a block, and with twenty arguments the checks of <see cref="Op.Invoke"/> take longer than a small product. Without gradients.
/// </summary>
/// <remarks>It keeps the memory alive. What the inputs hold may change between runs, where they lie may not.</remarks>
public sealed class PreparedCall : IDisposable
{
    private readonly OpCall _call;
    private readonly OpKernel? _kernel;
    private readonly KernelChoice _choice;
    private readonly KernelArrays _arrays;
    private readonly NamedTensors _outputs;

    internal PreparedCall(OpCall call, OpKernel? kernel, KernelChoice choice, KernelArrays arrays, NamedTensors outputs)
    {
        (_call, _kernel, _choice, _arrays, _outputs) = (call, kernel, choice, arrays, outputs);
    }

    /// <summary>The backend it runs on.</summary>
    public string Backend => _kernel?.Backend ?? KernelChoice.Reference;

    /// <summary>Fills the outputs from what the inputs hold now.</summary>
    public void Run()
    {
        if (_kernel is not null)
        {
            OpUsage.Record(_call.Op.Name, _kernel.Backend);
            _kernel.Forward(_call, _arrays);
            return;
        }
        using var scope = torch.NewDisposeScope();
        using var noGradient = torch.no_grad();
        var results = _call.Op.Invoke(_call.Inputs, _call.Options, _choice).Outputs;
        foreach (var (name, output) in _outputs)
            output.copy_(results[name]);
    }

    /// <summary>Lets go of the memory.</summary>
    public void Dispose()
    {
        foreach (var tensor in _call.Inputs.Values.Concat(_outputs.Values))
            tensor.Dispose();
    }
}
