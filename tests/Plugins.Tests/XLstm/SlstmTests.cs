using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Slstm;
using static TorchSharp.torch;

namespace Zoo.Tests.XLstm;

public sealed class SlstmTests
{
    /// <summary>Measured, in units of a tensor's largest value: 4e-6, at 513 steps.</summary>
    private const double Tolerance = 1e-5;

    /// <summary>Measured: 6.5e-4. Pre-activations are sums in float32, and at 10⁴ its last digit is 10⁻³.</summary>
    private const double ExtremeTolerance = 1.3e-3;

    private static readonly Dictionary<string, string> Keys = new() { ["state"] = "final state" };

    internal static NamedTensors Inputs(long batch, long length, long heads, long dim, bool withState)
    {
        manual_seed(6);
        var inputs = new NamedTensors
        {
            ["x"] = randn(batch, length, 4 * heads * dim),
            ["_recurrent_kernel_"] = randn(heads, 4 * dim, dim) / MathF.Sqrt(dim),
            ["_bias_"] = randn(4 * heads * dim),
        };
        if (withState)
        {
            inputs["state"] = stack([randn(batch, heads * dim), randn(batch, heads * dim), rand(batch, heads * dim) + 0.5f, randn(batch, heads * dim)]);
        }
        return inputs;
    }

    private static void Check(NamedTensors inputs, IReadOnlyCollection<string>? given = null, IReadOnlyCollection<string>? wanted = null, double tolerance = Tolerance)
    {
        var (worst, what) = OpCheck.Difference(Slstm.Instance, inputs, Keys, given: given, wanted: wanted);
        Assert.That(worst, Is.LessThan(tolerance), what);
    }

    [Test]
    public void Kernel_AnyLength_EqualsFloat64([Values(0, 1, 2, 17, 65, 513)] long length, [Values] bool withState)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(2, length, 2, 8, withState));
    }

    /// <summary>Beside vectors (8, 16), tiles of rows (4), groups (16) and the history of the weights' gradient (64 rows).</summary>
    [TestCase(1, 1, 1)]
    [TestCase(3, 2, 5)]
    [TestCase(5, 1, 16)]
    [TestCase(19, 1, 33)]
    [TestCase(33, 3, 7)]
    [TestCase(0, 2, 4)]
    [TestCase(2, 3, 80)]        // heads too wide to be taken together
    public void Kernel_AnySizes_EqualsFloat64(long batch, long heads, long dim)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(batch, 23, heads, dim, withState: true));
    }

    /// <summary>Heads are taken together by one thread and one by one by several.</summary>
    [Test]
    public void Kernel_SeveralThreads_GivesTheSameBits([Values] bool needsGradient)
    {
        using var scope = NewDisposeScope();
        var before = WorkShare.Threads;
        try
        {
            var results = new List<(Tensor Y, Tensor State)>();
            foreach (var threads in new[] { 1, 5 })
            {
                WorkShare.Threads = threads;
                var inputs = Inputs(3, 19, 3, 12, withState: true);
                results.Add(Slstm.Apply(inputs["x"].requires_grad_(needsGradient), inputs["_recurrent_kernel_"], inputs["_bias_"], inputs["state"], KernelChoice.Parse(KernelChoice.Cpu)));
            }
            Assert.That((results[0].Y.equal(results[1].Y).all().item<bool>(), results[0].State.equal(results[1].State).all().item<bool>()), Is.EqualTo((true, true)));
        }
        finally
        {
            WorkShare.Threads = before;
        }
    }

    [TestCase("y")]
    [TestCase("state")]
    public void Kernel_OneOutputHasAGradient_EqualsFloat64(string output)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(2, 19, 2, 6, withState: true), given: [output]);
    }

    [Test]
    public void Kernel_OneGradientWanted_EqualsFloat64([Values("x", "_recurrent_kernel_", "_bias_", "state")] string name)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(2, 19, 2, 6, withState: true), wanted: [name]);
    }

    [TestCase(-1e4f, 0f)]
    [TestCase(1e4f, 0f)]
    [TestCase(0f, -1e4f)]
    [TestCase(0f, 1e4f)]
    [TestCase(-1e4f, -1e4f)]
    [TestCase(1e4f, 1e4f)]
    public void Kernel_ExtremeGates_EqualsFloat64AndIsFinite(float input, float forget)
    {
        using var scope = NewDisposeScope();
        foreach (var withState in new[] { false, true })
        {
            var inputs = Inputs(2, 21, 1, 5, withState);
            var shift = cat([full(5, input), full(5, forget), zeros(10)]);
            inputs["x"] = inputs["x"] + shift;
            Check(inputs, tolerance: ExtremeTolerance);
        }
    }

    /// <summary>Where every n of the batch is 0, m is the input gate's pre-activation; where one is not, m is the larger of the two, for all.</summary>
    [Test]
    public void State_EveryNIsZero_TakesMFromTheInputGate()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 1, 1, 3, withState: true);
        inputs["_recurrent_kernel_"].zero_();
        inputs["_bias_"].zero_();
        inputs["x"] = full([2, 1, 12], -5f);
        inputs["state"].zero_();
        inputs["state"][3].fill_(2);
        Tensor M() => Slstm.Apply(inputs["x"], inputs["_recurrent_kernel_"], inputs["_bias_"], inputs["state"]).State[3];
        Assert.That(M().eq(-5f).all().item<bool>(), "all n are 0");
        inputs["state"][2][0][0] = 1;
        Assert.That((M() - (2 + MathF.Log(1 / (1 + MathF.Exp(5))))).abs().max().item<float>(), Is.LessThan(1e-5f), "one n is not 0");
        Check(inputs);
    }

    /// <summary>A state with c and no n: f' comes to 1, where it is cut off, and to less.</summary>
    [Test]
    public void State_EveryNIsZeroAndCIsNot_EqualsFloat64([Values(1, 7)] long length)
    {
        using var scope = NewDisposeScope();
        Check(WithoutN(length));
    }

    internal static NamedTensors WithoutN(long length)
    {
        var inputs = Inputs(3, length, 2, 5, withState: true);
        inputs["state"][2].zero_();
        return inputs;
    }

    /// <summary>A sequence with nothing behind it beside one with something, and an input gate so far down that its n underflows: 0, not NaN.</summary>
    [Test]
    public void Kernel_NUnderflows_GivesZero()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 3, 1, 3, withState: true);
        inputs["state"][1][0].zero_();
        inputs["state"][2][0].zero_();
        inputs["x"] = inputs["x"] + cat([full(3, -1e4f), zeros(9)]);
        var y = Slstm.Apply(inputs["x"], inputs["_recurrent_kernel_"], inputs["_bias_"], inputs["state"]).Y;
        Assert.That(y[0].abs().max().item<float>(), Is.Zero);
        Assert.That(y.isfinite().all().item<bool>());
    }

    [Test]
    public void Kernel_SequenceInTwoPieces_EqualsWhole()
    {
        using var scope = NewDisposeScope();
        var x = Inputs(3, 30, 2, 6, withState: false);
        (Tensor Y, Tensor State) Run(Tensor input, Tensor? state) => Slstm.Apply(input, x["_recurrent_kernel_"], x["_bias_"], state);
        var whole = Run(x["x"], null);
        var first = Run(x["x"].narrow(1, 0, 13), null);
        var second = Run(x["x"].narrow(1, 13, 17), first.State);
        Assert.That((cat([first.Y, second.Y], 2) - whole.Y).abs().max().item<float>(), Is.LessThan(1e-6f));
        Assert.That((second.State - whole.State).abs().max().item<float>(), Is.LessThan(1e-6f));
    }
}
