using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

public sealed class BFloat16LinearTests
{
    /// <summary>Measured, in units of the largest value: 2.2e-7.</summary>
    private const double Tolerance = 4.5e-7;

    [Test]
    public void Kernel_AnySizes_EqualsFloat64(
        [Values(0, 1, 2, 7)] int rows, [Values(1, 15, 16, 33, 64, 65, 513)] int dim, [Values(1, 3, 4, 66)] int outputs, [Values] bool bias)
    {
        using var scope = NewDisposeScope();
        manual_seed(rows + dim + outputs);
        var (x, weight, b) = (randn(rows, dim), randn(outputs, dim).to(ScalarType.BFloat16), bias ? randn(outputs) : null);
        var y = full([rows, outputs], float.NaN);
        var arrays = new KernelArrays();
        var inputs = new NamedTensors { ["x"] = x, ["weight"] = weight };
        if (b is not null)
            inputs["bias"] = b;
        foreach (var (name, tensor) in inputs)
            arrays.Add(name, KernelArray.Of(tensor));
        arrays.Add("y", KernelArray.Of(y));
        var op = BFloat16Linear.Instance;
        op.Kernels.Single(k => k.Backend == KernelChoice.Cpu).Forward(op.Describe(inputs, OpOptions.None), arrays);

        var (worst, _) = KernelRun.Difference(new() { ["y"] = y }, new() { ["y"] = Exact(x, weight, b) });
        Assert.That(worst, Is.LessThan(Tolerance));
    }

    [Test]
    public void Apply_StridedInputsAndLeadingAxes_EqualsFloat64([Values("cpu", "reference")] string kernels)
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        var x = randn(40, 2, 3).permute(1, 2, 0);                          // [2, 3, 40]
        var weight = randn(40, 10).to(ScalarType.BFloat16).t();            // [10, 40]
        var y = BFloat16Linear.Apply(x, weight, kernels: KernelChoice.Parse(kernels));

        Assert.That(y.shape, Is.EqualTo(new long[] { 2, 3, 10 }));
        Assert.That(KernelRun.Difference(new() { ["y"] = y }, new() { ["y"] = Exact(x, weight, null) }).Worst, Is.LessThan(Tolerance));
    }

    [Test]
    public void Kernel_AnyThreads_SameBits()
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        var (x, weight) = (randn(3, 700), randn(501, 700).to(ScalarType.BFloat16));
        var one = BFloat16Linear.Apply(x, weight);
        Zoo.Kernels.Cpu.WorkShare.Threads = 3;
        try
        {
            Assert.That(BFloat16Linear.Apply(x, weight).equal(one).all().item<bool>(), Is.True);
        }
        finally
        {
            Zoo.Kernels.Cpu.WorkShare.Threads = 1;
        }
    }

    [Test]
    public void Kernel_InfinitiesAndNaN_StayInTheirRows()
    {
        using var scope = NewDisposeScope();
        var (x, weight) = (ones(2, 40), ones(5, 40).to(ScalarType.BFloat16));
        x[1, 3] = float.PositiveInfinity;
        weight[2, 39] = float.NaN;
        var y = BFloat16Linear.Apply(x, weight);
        Assert.That(y[0, 1].item<float>(), Is.EqualTo(40));
        Assert.That(y[1, 1].item<float>(), Is.EqualTo(float.PositiveInfinity));
        Assert.That(y.isnan().nonzero().flatten().data<long>().ToArray(), Is.EqualTo(new long[] { 0, 2, 1, 2 }));
    }

    [Test]
    public void Linear_StoredMatrix_FewRowsInFloat32AndManyInBFloat16()
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        var (x, weight, bias) = (randn(40, 64), randn(32, 64).to(ScalarType.BFloat16), randn(32));
        var exact = Exact(x, weight, bias);
        using (no_grad())
        {
            OpUsage.Reset();
            var few = MixedPrecision.Linear(x.narrow(0, 0, 4), weight, bias, ScalarType.BFloat16);
            Assert.That(OpUsage.Backends.Keys, Is.EqualTo(["bf16_linear"]));
            Assert.That(KernelRun.Difference(new() { ["y"] = few }, new() { ["y"] = exact.narrow(0, 0, 4) }).Worst, Is.LessThan(Tolerance));

            var many = MixedPrecision.Linear(x, weight, bias, ScalarType.BFloat16);
            Assert.That(many.dtype, Is.EqualTo(ScalarType.Float32));
            Assert.That(KernelRun.Difference(new() { ["y"] = many }, new() { ["y"] = exact }).Worst, Is.InRange(1e-4, 6e-3), "measured 2.8e-3");
        }
    }

    [Test]
    public void Linear_Float32Weights_ProductsInTheArithmeticAskedForWithFloat32Gradients([Values] bool bias)
    {
        using var scope = NewDisposeScope();
        manual_seed(6);
        var (x, weight, b) = (randn(2, 9, 64).requires_grad_(), randn(32, 64).requires_grad_(), bias ? randn(32).requires_grad_() : null);
        var single = MixedPrecision.Linear(x, weight, b, ScalarType.Float32);
        var half = MixedPrecision.Linear(x, weight, b, ScalarType.BFloat16);
        Assert.That(single.equal(nn.functional.linear(x, weight, b)).all().item<bool>(), Is.True);
        Assert.That(KernelRun.Difference(new() { ["y"] = half }, new() { ["y"] = single }).Worst, Is.InRange(1e-4, 6e-3), "measured 2.8e-3");

        Gradients.Backward(half.sum());
        Assert.That((x.grad!.dtype, weight.grad!.dtype), Is.EqualTo((ScalarType.Float32, ScalarType.Float32)));
        Assert.That(KernelRun.Difference(new() { ["x"] = x.grad! }, new() { ["x"] = weight.sum([0]).expand(2, 9, 64) }).Worst, Is.LessThan(6e-3), "measured 2.8e-3");
    }

    [Test]
    public void Product_ByTheProcessorAndByRounding_IsTheSameButForTheOrderOfSums()
    {
        using var scope = NewDisposeScope();
        manual_seed(7);
        var (x, weight, cotangent) = (randn(33, 70).requires_grad_(), randn(20, 70).requires_grad_(), randn(33, 20));
        var results = new List<NamedTensors>();
        foreach (var isNative in (bool[])[true, false])
        {
            var y = MixedPrecision.Product(x, weight, isNative);
            Gradients.Backward((y * cotangent).sum());
            results.Add(new() { ["y"] = y, ["x"] = x.grad!.clone(), ["weight"] = weight.grad!.clone() });
            (x.grad, weight.grad) = (null, null);
        }
        // A sum near a rounding boundary of bfloat16 may fall to either side: one unit in the last place, 2^-8 of a number, and no more.
        foreach (var (name, rounded) in results[1])
        {
            var native = results[0][name];
            Assert.That(((native - rounded).abs() <= native.abs() * (1f / 128) + 1e-6f).all().item<bool>(), Is.True, name);
            Assert.That(native.ne(rounded).sum().item<long>(), Is.LessThan(rounded.numel() / 20), $"{name}: few differ at all");
        }
    }

    [Test]
    public void Embed_StoredTable_GivesFloat32Rows()
    {
        using var scope = NewDisposeScope();
        var table = randn(7, 5);
        var ids = tensor(new long[] { 3, 0, 6, 3 }, [2, 2]);
        Assert.That(MixedPrecision.Embed(ids, table).equal(table[ids]).all().item<bool>(), Is.True);
        var stored = MixedPrecision.Embed(ids, table.to(ScalarType.BFloat16));
        Assert.That(stored.dtype, Is.EqualTo(ScalarType.Float32));
        Assert.That(stored.equal(table.to(ScalarType.BFloat16).to(ScalarType.Float32)[ids]).all().item<bool>(), Is.True);
    }

    private static Tensor Exact(Tensor x, Tensor weight, Tensor? bias) => nn.functional.linear(
        x.to(ScalarType.Float64), weight.to(ScalarType.Float64), bias?.to(ScalarType.Float64));
}
