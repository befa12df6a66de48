using System.Text.Json.Nodes;
using Zoo.CudaEmulation;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.Kernels.Cuda;
using Zoo.Mamba.Ops.Step;
using Zoo.Tests.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.Mamba;

public sealed class MambaStepTests
{
    /// <summary>Measured, in units of the largest value: 8e-7.</summary>
    private const double Tolerance = 2e-6;

    private static readonly string[] Optional = ["residual", "norm_bias", "in_x_bias", "in_z_bias", "conv_bias", "out_bias"];

    [Test]
    public void Kernel_AnySize_EqualsFloat64([Values(1, 3)] int batch, [Values(8, 37)] int dim, [Values(1, 4, 16, 19)] int states, [Values(1, 4)] int width, [Values] bool everything)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(batch, dim, 2 * dim + 1, states, 3, width, everything ? Optional : []), rms: !everything);
    }

    [Test]
    public void Kernel_BFloat16Weights_EqualsFloat64OnThem()
    {
        using var scope = NewDisposeScope();
        Check(Rounded(Inputs(2, 40, 81, 16, 3, 4, Optional)), rms: true);
    }

    [Test]
    public void Kernel_TwoThreads_SameBits()
    {
        using var scope = NewDisposeScope();
        var before = WorkShare.Threads;
        try
        {
            var inputs = Inputs(1, 300, 600, 16, 20, 4, []);
            WorkShare.Threads = 1;
            var one = Run(inputs, true);
            WorkShare.Threads = 2;
            var two = Run(inputs, true);
            foreach (var name in one.Keys)
                Assert.That(two[name].Equals(one[name]), Is.True, name);
        }
        finally
        {
            WorkShare.Threads = before;
        }
    }

    [Test]
    public void CudaKernel_AnySize_EqualsFloat64(
        [Values(0, 1, 3)] int batch, [Values(8, 37)] int dim, [Values(1, 16, 40)] int states, [Values(1, 4)] int width, [Values] bool everything)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(
            MambaStep.Instance, Inputs(batch, dim, 2 * dim + 1, states, 3, width, everything ? Optional : []), Tolerance, Options(rms: !everything), wanted: []);
    }

    /// <summary>As a model's steps call it: the new states lie where the old ones did.</summary>
    [Test]
    public void Kernel_StatesInPlace_GiveTheSameBits([Values(1, 3)] int batch, [Values(1, 16, 19)] int states)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(batch, 24, 50, states, 3, 4, Optional);
        var apart = Run(inputs, rms: true);
        foreach (var (name, tensor) in Run(inputs, rms: true, inPlace: true))
            Assert.That(tensor.equal(apart[name]).all().item<bool>(), Is.True, name);
    }

    [Test]
    public void CudaKernel_BFloat16Weights_EqualsFloat64OnThem()
    {
        EmulatedOp.Require();
        using var scope = NewDisposeScope();
        using var emulation = CudaEmulator.Install();
        var inputs = Rounded(Inputs(2, 40, 81, 16, 3, 4, Optional));
        CheckOutputs(MambaStep.Instance.Invoke(inputs, Options(rms: true), KernelChoice.Parse("mamba_step=cuda")).Outputs, inputs, rms: true);
    }

    /// <summary>As `zoo bench --op` calls it; its host side looks at the type of an input.</summary>
    [Test]
    public void CudaKernel_OnACardsMemoryAlone_CanBeRepeated()
    {
        EmulatedOp.Require();
        using var scope = NewDisposeScope();
        using var call = new DeviceCall(MambaStep.Instance, Inputs(1, 8, 17, 3, 3, 4, []), OpOptions.None, new CudaEmulator(), backward: false);
        call.Forward();
        call.Forward();
    }

    [Test]
    public void CudaKernel_MatricesOfTwoTypes_IsRefused()
    {
        EmulatedOp.Require();
        using var scope = NewDisposeScope();
        using var emulation = CudaEmulator.Install();
        var inputs = Inputs(1, 8, 17, 4, 3, 4, []);
        inputs["x_b"] = inputs["x_b"].to(ScalarType.BFloat16);
        Assert.That(() => MambaStep.Instance.Invoke(inputs, Options(rms: true), KernelChoice.Parse("mamba_step=cuda")),
            Throws.TypeOf<BackendRejectedException>().With.Message.Contains("all in float32 or all in bfloat16"));
    }

    private static NamedTensors Inputs(long batch, long dim, long inner, long states, long rank, long width, IReadOnlyCollection<string> optional)
    {
        manual_seed(3);
        var sizes = new Dictionary<string, long> { ["B"] = batch, ["D"] = dim, ["E"] = inner, ["N"] = states, ["R"] = rank, ["K"] = width };
        return new(MambaStep.Instance.Arguments.Where(a => !a.Optional || optional.Contains(a.Name))
            .Select(a => KeyValuePair.Create(a.Name, MambaStep.Instance.Sample(a, [.. a.Axes.Select(axis => sizes[axis])]))));
    }

    private static NamedTensors Outputs(NamedTensors inputs)
    {
        var (batch, dim) = (inputs["hidden"].size(0), inputs["hidden"].size(1));
        return new()
        {
            ["y"] = full([batch, dim], float.NaN),
            ["sum"] = full([batch, dim], float.NaN),
            ["next_inputs"] = full(inputs["inputs"].shape, float.NaN),
            ["next_states"] = full(inputs["states"].shape, float.NaN),
        };
    }

    private static NamedTensors Run(NamedTensors inputs, bool rms, bool inPlace = false)
    {
        var outputs = Outputs(inputs);
        if (inPlace)
            outputs["next_states"] = inputs["states"] = inputs["states"].clone();
        var arrays = new KernelArrays();
        foreach (var (name, tensor) in inputs.Concat(outputs))
            arrays.Add(name, KernelArray.Of(tensor));
        MambaStep.Instance.Kernels.Single(k => k.Backend == KernelChoice.Cpu).Forward(MambaStep.Instance.Describe(inputs, Options(rms)), arrays);
        GC.KeepAlive(inputs);
        return outputs;
    }

    private static OpOptions Options(bool rms) => new(new JsonObject { ["rms_norm"] = rms });

    /// <summary>With every matrix in bfloat16.</summary>
    private static NamedTensors Rounded(NamedTensors inputs) => new(inputs.Select(i => KeyValuePair.Create(
        i.Key, MambaStep.Instance.Arguments.Single(a => a.Name == i.Key).MayBeBFloat16 ? i.Value.to(ScalarType.BFloat16) : i.Value)));

    private static void Check(NamedTensors inputs, bool rms) => CheckOutputs(Run(inputs, rms), inputs, rms);

    private static void CheckOutputs(NamedTensors outputs, NamedTensors inputs, bool rms)
    {
        var exact = MambaStep.Instance.Invoke(
            new(inputs.Select(i => KeyValuePair.Create(i.Key, i.Value.to(ScalarType.Float64)))), Options(rms), KernelChoice.Parse("reference")).Outputs;
        var (worst, what) = KernelRun.Difference(outputs, exact);
        TestContext.Out.WriteLine($"{worst:e2} {what}");
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }
}
