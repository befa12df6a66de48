using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests;

/// <summary>What every model over tokens is held to.</summary>
/// <param name="architecture">Whose.</param>
/// <param name="plugin">The plugin's folder, for recorded cases.</param>
internal sealed class TokenModelCheck(IModelArchitecture architecture, string plugin)
{
    /// <summary>The model of a config, with random weights.</summary>
    public TokenModel Build(ModelConfig config, string kernels) =>
        (TokenModel)architecture.CreateModel(config, new BuildContext { Kernels = KernelChoice.Parse(kernels) });

    /// <summary>Requires a recorded case's logits, of the step form too, and its gradients.</summary>
    /// <param name="name">The case.</param>
    /// <param name="kernels">As typed.</param>
    /// <param name="preset">What its config stands on.</param>
    public void RequireRecorded(string name, string kernels, string preset = "small")
    {
        using var scope = NewDisposeScope();
        using var golden = GoldenCase.Open(plugin, name);
        using var model = Build(architecture.ReadUpstreamConfig(preset, golden.Config), kernels);
        StateDict.Load(model, golden.With("param."), golden.Name);
        model.eval();
        var inputs = golden.With("in.");
        var logits = model.RunCase(inputs)["logits"];
        Close(logits, golden.With("out.")["logits"], "logits");
        Gradients.Backward((logits * golden.With("probe.")["logits"]).sum());
        var gradients = model.TrainableParameters().ToDictionary(p => p.Name, p => p.Parameter.grad!);
        foreach (var (parameter, expected) in golden.With("grad.param."))
            Close(gradients[parameter], expected, "gradient of " + parameter);

        using var noGradient = no_grad();
        using var state = model.NewState((int)inputs["ids"].size(0))!;
        var steps = inputs["ids"].unbind(1).Select(column => model.Head(model.Step(column, state))).ToArray();
        Close(stack(steps, dim: 1), golden.With("out.")["logits"], "logits of the step form");

        void Close(Tensor actual, Tensor expected, string what) =>
            TensorAssert.Close(actual, expected, golden.AbsoluteTolerance, golden.RelativeTolerance, what);
    }

    /// <summary>Requires every parameter's gradient, of logits under a random probe, to be that of a plain form in float64.</summary>
    /// <param name="logits">The model's.</param>
    /// <param name="expected">Those of the plain form.</param>
    /// <param name="parameters">The model's, by name.</param>
    /// <param name="copies">The same in float64, which the plain form had.</param>
    /// <param name="tolerance">In units of each gradient's largest value, at least 1.</param>
    public static void RequireGradients(
        Tensor logits, Tensor expected, IReadOnlyDictionary<string, TorchSharp.Modules.Parameter> parameters, IReadOnlyDictionary<string, Tensor> copies, double tolerance)
    {
        var probe = randn_like(logits);
        Gradients.Backward((logits * probe).sum());
        (expected * probe.to(ScalarType.Float64)).sum().backward();
        foreach (var (name, copy) in copies)
        {
            var scale = Math.Max(1, copy.grad!.abs().max().item<double>());
            TensorAssert.Close(parameters[name].grad! / scale, copy.grad! / scale, tolerance, 0, name);
        }
    }

    /// <summary>Requires that a sequence in one piece, in steps after a first piece, and in two pieces gives the same logits.</summary>
    /// <param name="model">Of a vocabulary of 64.</param>
    /// <param name="length">The whole.</param>
    /// <param name="first">The first piece.</param>
    /// <param name="tolerance">Of the logits.</param>
    public static void RequireStepsEqualWhole(TokenModel model, int length, int first, double tolerance)
    {
        const int batch = 3;
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var ids = randint(64, [batch, length], int64);
        var (begin, end) = (ids.narrow(1, 0, first), ids.narrow(1, first, length - first));
        var whole = model.Head(model.Hidden(ids));
        using var state = model.NewState(batch)!;
        var beginning = model.Hidden(begin, state);
        using var copy = state.Clone();
        var steps = stack(end.unbind(1).Select(column => model.Step(column, state)).ToArray(), dim: 1);
        var piece = model.Hidden(end, copy);
        TensorAssert.Close(model.Head(cat([beginning, steps], dim: 1)), whole, tolerance, 0, "prefill and steps");
        TensorAssert.Close(model.Head(cat([beginning, piece], dim: 1)), whole, tolerance, 0, "prefill and another piece");
    }

    /// <summary>How many numbers a preset's parameters have; none of them takes memory.</summary>
    public long CountParameters(string preset)
    {
        using var scope = NewDisposeScope();
        var before = get_default_device();
        var meta = new Device(TorchSharp.DeviceType.META);
        try
        {
            set_default_device(meta);
            using var model = architecture.CreateModel(architecture.Presets[preset], new BuildContext { Device = meta });
            return model.parameters().Sum(p => p.numel());
        }
        finally
        {
            set_default_device(before);
        }
    }
}
