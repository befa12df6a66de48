using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

public sealed class OpFunctionTests
{
    [Test]
    public void Invoke_CpuKernel_EqualsReferenceWithGradients([Values(0, 1, 2, 3)] int notWanted, [Values] bool bias)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var inputs = new NamedTensors { ["a"] = randn(3, 5), ["b"] = randn(5, 3).t() };
        if (bias)
            inputs["bias"] = randn(5);
        var results = new List<List<Tensor>>();
        foreach (var kernels in new[] { "reference", "cpu" })
        {
            var leaves = new NamedTensors(inputs.Select((p, i) => KeyValuePair.Create(p.Key, p.Value.detach().requires_grad_(i != notWanted))));
            var result = new ProductOp().Invoke(leaves, OpOptions.None, KernelChoice.Parse(kernels));
            Assert.That(result.Backend, Is.EqualTo(kernels));
            Gradients.Backward((result.Outputs["y"] * 2).sum() + result.Outputs["total"].sum());
            results.Add([result.Outputs["y"], result.Outputs["total"], .. leaves.Values.Where(l => l.requires_grad).Select(l => l.grad!)]);
        }
        Assert.That(results[1], Has.Count.EqualTo(results[0].Count));
        foreach (var (expected, actual) in results[0].Zip(results[1]))
            Assert.That(actual.allclose(expected, rtol: 1e-5, atol: 1e-6), Is.True);
    }

    [Test]
    public void Invoke_OneOutputUnused_ItsGradientIsAbsent()
    {
        using var scope = NewDisposeScope();
        var a = ones(2, 2).requires_grad_();
        var result = new ProductOp().Invoke(new() { ["a"] = a, ["b"] = full(2, 2, 3f) }, OpOptions.None, KernelChoice.Parse("cpu"));
        Gradients.Backward(result.Outputs["total"].sum());
        Assert.That(a.grad!.data<float>().ToArray(), Is.All.EqualTo(3f));
    }

    [Test]
    public void Backward_OutputThatItDoesNotRead_IsAbsent([Values] bool reads)
    {
        using var scope = NewDisposeScope();
        var a = ones(3).requires_grad_();
        var result = new CopyOp(reads).Invoke(new() { ["a"] = a }, OpOptions.None, KernelChoice.Parse("cpu"));
        Gradients.Backward(result.Outputs["y"].sum());
        Assert.That(a.grad!.data<float>().ToArray(), Is.All.EqualTo(reads ? 1f : -1f), "1 where the kernel found y and what it had kept, -1 where only the latter");
    }

    [Test]
    public void Backward_LeafOfAnyLayout_TakesTheGradientOverInItsShape()
    {
        using var scope = NewDisposeScope();
        var (leaf, weights) = (randn(4, 3).t().detach().requires_grad_(), randn(3, 4));
        for (var pass = 1; pass <= 2; pass++)
        {
            var result = new ProductOp().Invoke(new() { ["a"] = leaf, ["b"] = weights }, OpOptions.None, KernelChoice.Parse("cpu"));
            Gradients.Backward(result.Outputs["y"].sum());
            Assert.That(leaf.is_leaf, Is.True);
            Assert.That(leaf.grad!.Equals(weights * pass), Is.True, $"after {pass}");
        }
    }

    [Test]
    public void Invoke_NoGrad_KeepsNothing()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var a = ones(2, 2).requires_grad_();
        var result = new ProductOp().Invoke(new() { ["a"] = a, ["b"] = a }, OpOptions.None, KernelChoice.Parse("cpu"));
        Assert.That(result.Outputs["y"].requires_grad, Is.False);
    }

    [Test]
    public void Backward_KernelThrows_ExceptionArrivesAfterwardsAndProcessLives()
    {
        using var scope = NewDisposeScope();
        var a = ones(2, 2).requires_grad_();
        var result = new ProductOp(failInBackward: true).Invoke(new() { ["a"] = a, ["b"] = a }, OpOptions.None, KernelChoice.Parse("cpu"));
        Assert.That(() => Gradients.Backward(result.Outputs["total"].sum()), Throws.InvalidOperationException.With.Message.EqualTo("planted"));
    }

    [Test]
    public void Invoke_Float64WithKernelDemanded_NamesTheReason()
    {
        using var a = ones(2, 2, dtype: float64);
        var inputs = new NamedTensors { ["a"] = a, ["b"] = a };
        Assert.That(() => new ProductOp().Invoke(inputs, OpOptions.None, KernelChoice.Parse("cpu")), Throws.TypeOf<BackendRejectedException>()
            .With.Message.EqualTo("--kernels cpu: product cannot run on 'cpu': 'a' is Float64; the cpu backend is written for Float32."));
        Assert.That(new ProductOp().Invoke(inputs, OpOptions.None, KernelChoice.Auto).Backend, Is.EqualTo("reference"));
    }

    [Test]
    public void Invoke_BackendThatItLacks_IsRefusedWhenNamedForThisOpOnly()
    {
        using var a = ones(2, 2);
        var inputs = new NamedTensors { ["a"] = a, ["b"] = a };
        Assert.That(() => new ProductOp().Invoke(inputs, OpOptions.None, KernelChoice.Parse("product=cuda")), Throws.TypeOf<BackendRejectedException>()
            .With.Message.EqualTo("--kernels product=cuda: product has no 'cuda' backend; it has cpu, reference."));
        Assert.That(new ProductOp().Invoke(inputs, OpOptions.None, KernelChoice.Parse("cuda")).Backend, Is.EqualTo("reference"));
    }

    [Test]
    public void Invoke_ManyCallsAndRefusals_NothingGrows()
    {
        var op = new ProductOp();
        using var weights = randn(64, 64).requires_grad_();
        using var wrong = randn(64, 63);
        void Run(int calls)
        {
            for (var i = 0; i < calls; i++)
            {
                using var scope = NewDisposeScope();
                var result = op.Invoke(new() { ["a"] = weights, ["b"] = weights }, OpOptions.None, KernelChoice.Parse("cpu"));
                Gradients.Backward(result.Outputs["y"].sum());
                weights.grad!.zero_();
                Assert.That(() => op.Invoke(new() { ["a"] = weights, ["b"] = wrong }, OpOptions.None, KernelChoice.Auto), Throws.TypeOf<ShapeException>());
            }
        }
        Run(20);
        var before = LiveObjects.Now();
        Run(1000);
        var after = LiveObjects.Now();
        Assert.That(after.Tensors, Is.LessThanOrEqualTo(before.Tensors));   // finalisers of earlier tests may free some
        Assert.That(after.Nodes, Is.LessThanOrEqualTo(before.Nodes));
    }

    /// <summary>y = a. Its backward says what it was given.</summary>
    private sealed class CopyOp(bool reads) : Op
    {
        public override string Name => "copy";

        public override string Title => "Copies";

        public override IReadOnlyList<OpArgument> Arguments { get; } = [new("a", "D")];

        public override IReadOnlyList<string> Outputs { get; } = ["y"];

        public override IReadOnlyList<OpKernel> Kernels { get; } = [new CopyKernel(reads)];

        protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => new() { ["y"] = inputs["a"].clone() };

        protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("y", call.Size("D"))];
    }

    private sealed class CopyKernel(bool reads) : OpKernel
    {
        public override string Backend => KernelChoice.Cpu;

        public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) => [new("kept", 1)];

        public override bool ReadsOutput(string output) => reads;

        public override void Forward(OpCall call, KernelArrays arrays)
        {
            arrays["a"].Span.CopyTo(arrays["y"].Span);
            arrays["kept"].Span[0] = 1;
        }

        public override void Backward(OpCall call, KernelArrays arrays) =>
            arrays.Gradient("a").Span.Fill(arrays["y"].IsPresent ? arrays["kept"].Span[0] : -arrays["kept"].Span[0]);
    }
}
