using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>A causal convolution of each channel over time, then a product over channels.</summary>
internal sealed class CausalConvLayer : nn.Module
{
    [ComponentName(Name = "net")] private readonly ConvPair _net;
    private readonly KernelChoice _kernels;
    private readonly ScalarType _arithmetic;
    private readonly long _dim;
    private readonly int _width;

    public CausalConvLayer(MinLmConfig config, BuildContext context) : base(nameof(CausalConvLayer))
    {
        (_dim, _width, _arithmetic, _kernels) = (config.ModelDim, config.ConvWidth, context.Dtype, context.Kernels);
        _net = new ConvPair(_dim, _width, context.Device);
        RegisterComponents();
    }

    /// <summary>The last inputs, [width, dim] of one sequence, of which the first is too far back to matter.</summary>
    public IReadOnlyList<long[]> StateShapes => [[_width, _dim]];

    /// <param name="x">[batch, time, dim].</param>
    /// <param name="state">Changed to the final one.</param>
    /// <returns>[batch, time, dim].</returns>
    public Tensor Forward(Tensor x, StateSlots state)
    {
        using var scope = NewDisposeScope();
        var (mixed, last) = CausalConv.Apply(x, _net.Depthwise.weight!.squeeze(1), _net.Depthwise.bias, silu: false, state.Find(0), _kernels);
        state.Keep(0, last);
        return MixedPrecision.Linear(mixed, _net.Pointwise.weight!.squeeze(2), _net.Pointwise.bias, _arithmetic, _kernels)
            .MoveToOuterDisposeScope();
    }

    /// <summary>The two convolutions under the original project's keys.</summary>
    private sealed class ConvPair : nn.Module
    {
        [ComponentName(Name = "0")] public readonly Conv1d Depthwise;
        [ComponentName(Name = "1")] public readonly Conv1d Pointwise;

        public ConvPair(long dim, int width, Device device) : base(nameof(ConvPair))
        {
            Depthwise = nn.Conv1d(dim, dim, width, groups: dim);
            Pointwise = nn.Conv1d(dim, dim, 1L);
            RegisterComponents();
            if (device.type != DeviceType.CPU)
                this.to(device);
        }
    }
}
