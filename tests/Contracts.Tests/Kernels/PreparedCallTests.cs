using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

public sealed class PreparedCallTests
{
    [Test]
    public void Run_InputsChangeInPlace_FillsTheSameOutputsAnew([Values("reference", "cpu")] string backend)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var inputs = new NamedTensors { ["a"] = randn(3, 5).requires_grad_(), ["b"] = randn(3, 5) };
        var outputs = new NamedTensors { ["y"] = full([3, 5], float.NaN), ["total"] = full([1], float.NaN) };
        using var call = new ProductOp().Prepare(inputs, outputs, OpOptions.None, KernelChoice.Parse(backend));
        Assert.That(call.Backend, Is.EqualTo(backend));
        for (var i = 0; i < 2; i++)
        {
            inputs["b"].fill_(i + 2);
            call.Run();
            Assert.That(outputs["y"].Equals(inputs["a"] * (i + 2)), Is.True, $"run {i + 1}");
            Assert.That(outputs["total"].requires_grad, Is.False);
        }
    }

    [Test]
    public void Run_CallersTensorsDisposed_MemoryIsStillThere()
    {
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors { ["a"] = ones(3, 5), ["b"] = full([3, 5], 7f) };
        var outputs = new NamedTensors { ["y"] = zeros(3, 5), ["total"] = zeros(1) };
        var total = outputs["total"].alias();
        using var call = new ProductOp().Prepare(inputs, outputs, OpOptions.None, KernelChoice.Parse("cpu"));
        foreach (var tensor in inputs.Values.Concat(outputs.Values))
            tensor.Dispose();
        call.Run();
        Assert.That(total.item<float>(), Is.EqualTo(105));
    }

    [TestCase("total", null, "product fills 'total', and no tensor was given for it.")]
    [TestCase("extra", 1, "product has no output 'extra'; it has y, total.")]
    [TestCase("total", 2, "product: the output 'total' is Float32 [2] but must be Float32 [1].")]
    public void Prepare_OutputThatDoesNotFit_IsRefused(string name, int? size, string message)
    {
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors { ["a"] = ones(3, 5), ["b"] = ones(3, 5) };
        var outputs = new NamedTensors { ["y"] = zeros(3, 5), ["total"] = zeros(1) };
        outputs.Remove(name);
        if (size is { } numbers)
            outputs[name] = zeros(numbers);
        Assert.That(
            () => new ProductOp().Prepare(inputs, outputs, OpOptions.None, KernelChoice.Parse("cpu")), Throws.TypeOf<ShapeException>().With.Message.EqualTo(message));
    }

    [Test]
    public void Prepare_InputNotContiguous_IsRefused()
    {
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors { ["a"] = ones(5, 3).t(), ["b"] = ones(3, 5) };
        Assert.That(
            () => new ProductOp().Prepare(inputs, new() { ["y"] = zeros(3, 5), ["total"] = zeros(1) }, OpOptions.None, KernelChoice.Parse("cpu")),
            Throws.TypeOf<ShapeException>().With.Message.Contains("not contiguous"));
    }
}
