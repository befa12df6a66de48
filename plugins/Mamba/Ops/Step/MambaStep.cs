using System.Text.Json.Nodes;
using Zoo.Kernels;
using Zoo.Mamba.Model;
using static TorchSharp.torch;

namespace Zoo.Mamba.Ops.Step;

/// <summary>A whole block for one token a sequence, with its state: each weight and each state is read once.</summary>
/// <remarks>For inference: no gradients. README.md beside this file has the equations and measurements.</remarks>
internal sealed class MambaStep : Op
{
    public static MambaStep Instance { get; } = new();

    private static readonly OpOptions Rms = OpOptions.None, Layer = new(new JsonObject { ["rms_norm"] = false });

    private MambaStep()
    {
    }

    public override string Name => "mamba_step";

    public override string Title => "A Mamba block for one token a sequence: norm, projections, convolution, scan and gate";

    /// <summary>
    /// hidden and residual [batch B, dim D]; the block's parameters, with in_proj's and x_proj's rows by what they give (E channels, R rank, N
    /// states, K width), A negative, and matrices in float32 or bfloat16; and the state.
    /// </summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        Plain("hidden", "B", "D"), Plain("residual", "B", "D") with { Optional = true },
        Plain("norm_weight", "D"), Plain("norm_bias", "D") with { Optional = true },
        Matrix("in_x", "E", "D"), Matrix("in_z", "E", "D"),
        Plain("in_x_bias", "E") with { Optional = true }, Plain("in_z_bias", "E") with { Optional = true },
        Plain("conv_weight", "E", "K"), Plain("conv_bias", "E") with { Optional = true },
        Matrix("x_dt", "R", "E"), Matrix("x_b", "N", "E"), Matrix("x_c", "N", "E"),
        Matrix("dt_weight", "E", "R"), Plain("dt_bias", "E"), Plain("A", "E", "N"), Plain("skip", "E"),
        Matrix("out_weight", "D", "E"), Plain("out_bias", "D") with { Optional = true },
        Plain("inputs", "B", "K", "E"), Plain("states", "B", "E", "N"),
    ];

    /// <summary>rms_norm: whether the norm is RMSNorm, true unless said otherwise; eps, 1e-5.</summary>
    public override IReadOnlyList<string> Options { get; } = ["rms_norm", "eps"];

    /// <summary>y, the mixer's output, and sum, the residual stream, [batch, dim]; the state after the token.</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y", "sum", "next_inputs", "next_states"];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new MambaStepCpu(), new MambaStepCuda()];

    /// <summary>Prepares a block's step: from hidden, residual and one half of the layer's state to y, sum and the other half.</summary>
    /// <param name="hidden">[batch, dim].</param>
    /// <param name="residual">[batch, dim]; null before the first block.</param>
    /// <param name="y">The mixer's output, [batch, dim].</param>
    /// <param name="sum">The residual stream, [batch, dim].</param>
    /// <param name="block">The parameters.</param>
    /// <param name="a">A, [channel, state].</param>
    /// <param name="before">Window and states before the token.</param>
    /// <param name="after">What becomes of them; its states may be those of before.</param>
    public static PreparedCall Prepare(
        Tensor hidden, Tensor? residual, Tensor y, Tensor sum, MambaBlock block, Tensor a, (Tensor Inputs, Tensor States) before,
        (Tensor Inputs, Tensor States) after)
    {
        using var scope = NewDisposeScope();
        var mixer = block.Mixer;
        var (step, b, c) = mixer.ParameterRows;
        var inputs = new NamedTensors
        {
            ["hidden"] = hidden,
            ["norm_weight"] = block.Norm.Weight,
            ["in_x"] = mixer.InputX,
            ["in_z"] = mixer.InputZ,
            ["conv_weight"] = mixer.ConvWeight,
            ["x_dt"] = step,
            ["x_b"] = b,
            ["x_c"] = c,
            ["dt_weight"] = mixer.StepWeight,
            ["dt_bias"] = mixer.StepBias,
            ["A"] = a,
            ["skip"] = mixer.Skip,
            ["out_weight"] = mixer.OutputWeight,
            ["inputs"] = before.Inputs,
            ["states"] = before.States,
        };
        Add("residual", residual);
        Add("norm_bias", block.Norm.Bias);
        Add("in_x_bias", mixer.InputBiasX);
        Add("in_z_bias", mixer.InputBiasZ);
        Add("conv_bias", mixer.ConvBias);
        Add("out_bias", mixer.OutputBias);
        var outputs = new NamedTensors { ["y"] = y, ["sum"] = sum, ["next_inputs"] = after.Inputs, ["next_states"] = after.States };
        return Instance.Prepare(inputs, outputs, block.IsRms ? Rms : Layer, block.Kernels);

        void Add(string name, Tensor? tensor)
        {
            if (tensor is not null)
                inputs[name] = tensor;
        }
    }

    /// <summary>Each weight is read once, and the state is read and written.</summary>
    public override OpCost? Floor(OpCall call, bool backward)
    {
        if (backward)
            return null;
        double batch = call.Size("B"), dim = call.Size("D"), inner = call.Size("E"), states = call.Size("N"), rank = call.Size("R");
        var weights = 3 * inner * dim + inner * (2 * rank + 2 * states);
        var size = call.Inputs["in_x"].dtype == ScalarType.BFloat16 ? 2 : 4;
        var state = batch * inner * (states + call.Size("K"));
        return new OpCost(Bytes: size * weights + 4 * (inner * states + 2 * state), Flops: 2 * batch * weights + 6 * batch * inner * states, Exponentials: batch * inner * states);
    }

    /// <summary>Step sizes and A as training starts with them.</summary>
    public override Tensor Sample(OpArgument argument, long[] shape) => argument.Name switch
    {
        "A" => empty(shape).uniform_(-16, -1),
        "dt_bias" => empty(shape).uniform_(-6, -3),
        "in_x" or "in_z" or "x_dt" or "x_b" or "x_c" or "dt_weight" or "out_weight" => empty(shape).uniform_(-1, 1).div_((float)Math.Sqrt(shape[1])),
        _ => base.Sample(argument, shape),
    };

    protected override void Check(OpCall call)
    {
        if (call.Size("K") < 1)
            throw new ShapeException($"{Name}: 'conv_weight' is {Shape.Describe(call.Inputs["conv_weight"].shape)}; a width of at least 1 is needed.");
    }

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) =>
        MambaStepReference.Forward(inputs, options.Get("rms_norm", true), options.Get("eps", MambaModel.Epsilon));

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) =>
    [
        new("y", call.Size("B"), call.Size("D")),
        new("sum", call.Size("B"), call.Size("D")),
        new("next_inputs", call.Size("B"), call.Size("K"), call.Size("E")),
        new("next_states", call.Size("B"), call.Size("E"), call.Size("N")),
    ];

    private static OpArgument Plain(string name, params string[] axes) => new(name, axes) { HasGradient = false };

    private static OpArgument Matrix(string name, params string[] axes) => new(name, axes) { HasGradient = false, MayBeBFloat16 = true };
}
