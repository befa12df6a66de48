using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using System.Text.Json.Nodes;
using Zoo.Kernels;
using Zoo.XLstm.Ops.Mlstm;
using static TorchSharp.torch;

namespace Zoo.Tests.XLstm;

public sealed class MlstmTests
{
    /// <summary>Measured, in units of a tensor's largest value: 1.3e-5, in the gradient of m0, which is a sum over a whole state.</summary>
    private const double Tolerance = 2.5e-5;

    /// <summary>Measured: 3.8e-5. With input gates at 10⁴ what a key's weight hangs on are the last digits of a float32.</summary>
    private static readonly double ExtremeTolerance = Fma.IsSupported || AdvSimd.IsSupported ? 7.5e-5 : 3e-4;   // without fused multiply-add measured: 1.5e-4

    private static readonly string[] State = ["c0", "n0", "m0"];

    internal static NamedTensors Inputs(long batch, long heads, long length, long keys, long values, params string[] state)
    {
        manual_seed(5);
        var inputs = new NamedTensors
        {
            ["q"] = randn(batch, heads, length, keys),
            ["k"] = randn(batch, heads, length, keys),
            ["v"] = randn(batch, heads, length, values),
            ["i"] = randn(batch, heads, length),
            ["f"] = randn(batch, heads, length) + 2,
        };
        var initial = new NamedTensors { ["c0"] = randn(batch, heads, keys, values), ["n0"] = randn(batch, heads, keys), ["m0"] = randn(batch, heads, 1) };
        foreach (var name in state)
            inputs[name] = initial[name];
        return inputs;
    }

    private static void Check(NamedTensors inputs, int chunk = 0, IReadOnlyCollection<string>? given = null, IReadOnlyCollection<string>? wanted = null, double tolerance = Tolerance)
    {
        var (worst, what) = OpCheck.Difference(Mlstm.Instance, inputs, options: new JsonObject { ["chunk_size"] = chunk }, given: given, wanted: wanted);
        Assert.That(worst, Is.LessThan(tolerance), what);
    }

    [Test]
    public void Kernel_AnyLength_EqualsFloat64([Values(0, 1, 2, 17, 64, 65, 127, 513)] long length, [Values] bool withState)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(2, 2, length, 16, 16, withState ? State : []));
    }

    [TestCase(1, 1)]
    [TestCase(3, 5)]
    [TestCase(7, 20)]
    [TestCase(33, 9)]
    [TestCase(64, 70)]
    public void Kernel_AnyWidths_EqualsFloat64(long keys, long values)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(1, 2, 70, keys, values, State));
    }

    [Test]
    public void Kernel_AnyChunk_EqualsFloat64([Values(1, 2, 16, 17, 64, 128)] int chunk)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(1, 2, 130, 12, 10, State), chunk);
    }

    /// <summary>The three forms, each from the kernel and from tensors: one chunk is the parallel one, chunks of one step are the recurrent one.</summary>
    [Test]
    public void Forms_ParallelChunkwiseStep_Agree([Values(1, 2, 16, 17, 64, 128)] int chunk, [Values("cpu", "reference")] string backend)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 2, 150, 16, 16);
        NamedTensors Run(int size) => Mlstm.Instance.Invoke(inputs, new OpOptions(new() { ["chunk_size"] = size }), KernelChoice.Parse(backend)).Outputs;
        var (parallel, other) = (Run(150), Run(chunk));
        foreach (var name in Mlstm.Instance.Outputs)
            Assert.That((parallel[name] - other[name]).abs().max().item<float>(), Is.LessThan(1e-4f), name);
    }

    /// <summary>The step kernel, token by token, ends where the whole sequence does.</summary>
    [Test]
    public void Step_TokenByToken_EqualsWhole()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var x = Inputs(2, 3, 70, 8, 11);
        var whole = Mlstm.Apply(x["q"], x["k"], x["v"], x["i"], x["f"]);
        (Tensor C, Tensor N, Tensor M)? state = null;
        for (var t = 0; t < 70; t++)
        {
            Tensor At(string name) => x[name].narrow(2, t, 1);
            (var h, state) = Mlstm.Apply(At("q"), At("k"), At("v"), At("i"), At("f"), state);
            Assert.That((h - whole.H.narrow(2, t, 1)).abs().max().item<float>(), Is.LessThan(2e-5f), $"step {t}");
        }
        Assert.That((state!.Value.C - whole.State.C).abs().max().item<float>(), Is.LessThan(2e-5f));
        Assert.That((state.Value.M - whole.State.M).abs().max().item<float>(), Is.LessThan(1e-5f));
    }

    [Test]
    public void Kernel_AnyPartOfTheState_EqualsFloat64([Range(0, 7)] int subset)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(1, 2, 67, 6, 7, [.. State.Where((_, i) => (subset >> i & 1) == 1)]));
    }

    [TestCase("h")]
    [TestCase("c")]
    [TestCase("n")]
    [TestCase("m")]
    public void Kernel_OneOutputHasAGradient_EqualsFloat64(string output)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 2, 67, 6, 7, State);
        var wanted = output switch { "h" => inputs.Keys.ToArray(), "c" => ["k", "v", "i", "f", "c0", "m0"], "n" => ["k", "i", "f", "n0", "m0"], _ => ["i", "f", "m0"] };
        Check(inputs, given: [output], wanted: wanted);
    }

    [Test]
    public void Kernel_OneGradientWanted_EqualsFloat64([Values("q", "k", "v", "i", "f", "c0", "n0", "m0")] string name)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(1, 1, 70, 8, 8, State), wanted: [name]);
    }

    /// <summary>Gates that never write, always write, never forget, always forget, and all of them by chance; across chunks.</summary>
    [TestCase(-1e4f, 0f)]
    [TestCase(1e4f, 0f)]
    [TestCase(0f, -1e4f)]
    [TestCase(0f, 1e4f)]
    [TestCase(-1e4f, -1e4f)]
    [TestCase(1e4f, 1e4f)]
    [TestCase(float.NaN, float.NaN)]
    public void Kernel_ExtremeGates_EqualsFloat64AndIsFinite(float input, float forget)
    {
        using var scope = NewDisposeScope();
        foreach (var state in new[] { State, [] })
        {
            var inputs = Inputs(1, 2, 130, 8, 8, state);
            inputs["i"] = float.IsNaN(input) ? (rand(1, 2, 130) * 2 - 1) * 1e4f : inputs["i"] + input;
            inputs["f"] = float.IsNaN(forget) ? (rand(1, 2, 130) * 2 - 1) * 1e4f : inputs["f"] + forget;
            Check(inputs, tolerance: ExtremeTolerance);
        }
    }

    /// <summary>
    /// Where q · n comes near 0, gradients are large and the forget gates' are what little is left of them: they hold as the original's recurrence has
    /// them, each to 1e-4 of itself.
    /// </summary>
    [Test]
    public void Kernel_ProductNearZero_ForgetGatesKeepSmallGradients([Values(1, 4, 8, 36)] int seed)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 2, 70, 8, 8);
        manual_seed(seed);
        (inputs["i"], inputs["f"]) = (8 * randn(1, 2, 70), 8 * randn(1, 2, 70));
        var (got, exact) = GradientsOf(inputs, "f");
        Assert.That(((got - exact).abs() - exact.abs() * 1e-4).max().item<double>(), Is.LessThan(3e-5));
    }

    /// <summary>Nothing crosses into the first step from the empty state, whatever rounding makes of the rest.</summary>
    [Test]
    public void Kernel_EmptyState_GivesTheFirstForgetGateNothing()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 2, 20, 6, 6);
        inputs["i"] = inputs["i"] + 40;
        Assert.That(GradientsOf(inputs, "f").Got.narrow(2, 0, 1).abs().max().item<double>(), Is.Zero);
    }

    /// <summary>An m that is never exceeded: its gradient is that of the final m, and what ⟨∂C, C⟩ adds and takes must not be left over.</summary>
    [Test]
    public void Kernel_InitialMaximumStays_ItsGradientIsExact()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 1, 11, 4, 4, State);
        inputs["m0"] = full([2, 1, 1], 20f);
        var (got, exact) = GradientsOf(inputs, "m0");
        Assert.That((got - exact).abs().max().item<double>(), Is.LessThan(2e-6));     // measured
    }

    /// <summary>The gradient of one input from the kernel and from float64, with random gradients of every output.</summary>
    private static (Tensor Got, Tensor Exact) GradientsOf(NamedTensors inputs, string name)
    {
        NamedTensors Run(ScalarType dtype, string backend, out Tensor wanted)
        {
            var own = new NamedTensors();
            foreach (var (key, tensor) in inputs)
                own[key] = tensor.detach().to(dtype, copy: true).requires_grad_(key == name);
            wanted = own[name];
            return Mlstm.Instance.Invoke(own, OpOptions.None, KernelChoice.Parse(backend)).Outputs;
        }

        var outputs = Run(float32, "cpu", out var got);
        var exactOutputs = Run(float64, "reference", out var exact);
        var (loss, exactLoss) = (zeros(1), zeros(1, float64));
        foreach (var output in Mlstm.Instance.Outputs)
        {
            var probe = randn(outputs[output].shape);
            loss = loss + (outputs[output] * probe).sum();
            exactLoss = exactLoss + (exactOutputs[output] * probe.to(float64)).sum();
        }
        Gradients.Backward(loss.sum());
        Gradients.Backward(exactLoss.sum());
        return (got.grad!.to(float64), exact.grad!);
    }

    /// <summary>Padding: where the input gate is shut and the forget gate open, the state stays, and so does what follows.</summary>
    [Test]
    public void Kernel_PaddingBefore_ChangesNothing()
    {
        using var scope = NewDisposeScope();
        var bare = Inputs(1, 2, 40, 8, 8);
        var padded = Inputs(1, 2, 70, 8, 8);
        foreach (var (name, tensor) in bare)
            padded[name] = cat([name == "i" ? full([1, 2, 30], -1e4f) : name == "f" ? full([1, 2, 30], 1e4f) : padded[name].narrow(2, 0, 30), tensor], 2);
        Tensor H(NamedTensors x) => Mlstm.Apply(x["q"], x["k"], x["v"], x["i"], x["f"]).H;
        // Measured: 1.4e-6 with 512 bits. Chunks begin elsewhere, so sums are made in another order.
        Assert.That((H(padded).narrow(2, 30, 40) - H(bare)).abs().max().item<float>(), Is.LessThan(3e-6f));
    }

    [Test]
    public void Kernel_NoSequences_RunsAndGivesNothing()
    {
        using var scope = NewDisposeScope();
        Check(Inputs(0, 2, 5, 4, 4));
    }

    [TestCase(-1, "The option 'chunk_size' is -1; it must be at least 1, or 0 to let the backend choose.")]
    public void Invoke_BadOption_IsASentence(int chunk, string sentence)
    {
        using var scope = NewDisposeScope();
        Assert.That(() => Mlstm.Instance.Invoke(Inputs(1, 1, 2, 2, 2), new OpOptions(new() { ["chunk_size"] = chunk }), KernelChoice.Auto),
            Throws.TypeOf<UserException>().With.Message.EqualTo(sentence));
    }
}
