using Zoo.CudaEmulation;
using Zoo.Kernels;
using Zoo.Kernels.Cuda;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels.Cuda;

[NonParallelizable]   // the card in use is the process's
public sealed class DeviceCallTests
{
    [SetUp]
    public void Require() => EmulatedOp.Require();

    [Test]
    public void Forward_AndBackward_CanBeRepeated()
    {
        using var scope = NewDisposeScope();
        using var call = new DeviceCall(LinearScan.Instance, Inputs(), OpOptions.None, new CudaEmulator(), backward: true);
        for (var i = 0; i < 3; i++)
        {
            call.Forward();
            call.Backward();
        }
    }

    [Test]
    public void New_OpWithoutCudaKernels_SaysSo()
    {
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors { ["a"] = rand(2, 3), ["b"] = rand(2, 3) };
        Assert.That(() => new DeviceCall(new ProductOp(), inputs, OpOptions.None, new CudaEmulator(), backward: false), Throws.TypeOf<BackendRejectedException>()
            .With.Message.EqualTo("--kernels product=cuda: product has no 'cuda' backend; it has cpu, reference."));
    }

    [Test]
    public void New_InputsThatTheKernelsDoNotTake_SaysWhy()
    {
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors(Inputs().Select(i => KeyValuePair.Create(i.Key, i.Value.to(ScalarType.Float64))));
        Assert.That(() => new DeviceCall(LinearScan.Instance, inputs, OpOptions.None, new CudaEmulator(), backward: false), Throws.TypeOf<BackendRejectedException>()
            .With.Message.EndsWith("'a' is Float64; the cuda backend is written for Float32."));
    }

    [Test]
    public void Invoke_ManyCalls_NothingGrows()
    {
        using var outer = NewDisposeScope();
        using var emulation = CudaEmulator.Install();
        var inputs = Inputs();
        foreach (var input in inputs.Values)
            input.requires_grad_();
        void Run(int calls)
        {
            for (var i = 0; i < calls; i++)
            {
                using var scope = NewDisposeScope();
                var (states, last) = LinearScan.Apply(inputs["a"], inputs["b"], inputs["h0"], KernelChoice.Parse("cuda"));
                Gradients.Backward(states.sum() + last.sum());
            }
        }
        Run(5);
        var (tensors, allocations) = (Gradients.LiveTensors, CudaEmulator.Allocations);
        Run(50);
        Assert.That(Gradients.LiveTensors, Is.LessThanOrEqualTo(tensors));
        Assert.That(CudaEmulator.Allocations, Is.EqualTo(allocations), "buffers and scratch memory are given back");
    }

    [Test]
    public void Backward_AfterTheCardIsInUseNoLonger_IsASentence()
    {
        using var scope = NewDisposeScope();
        var a = rand(1, 2, 3).requires_grad_();
        Tensor loss;
        using (CudaEmulator.Install())
            loss = LinearScan.Apply(a, rand(1, 2, 3), kernels: KernelChoice.Parse("cuda")).States.sum();
        Assert.That(() => Gradients.Backward(loss), Throws.InvalidOperationException.With.Message.EqualTo(
            "linear_scan (B=1, L=2, D=3): the tensors are on the CPU, and the card that was in use is no longer."));
    }

    [Test]
    public void Backward_InputsAreGone_StillRuns()
    {
        using var scope = NewDisposeScope();
        using var emulation = CudaEmulator.Install();
        var a = rand(1, 2, 3).requires_grad_();
        Tensor loss;
        using (var inner = NewDisposeScope())
        {
            var b = rand(1, 2, 3);
            loss = LinearScan.Apply(a, b, kernels: KernelChoice.Parse("cuda")).States.sum().MoveToOuterDisposeScope();
        }
        Assert.That(() => Gradients.Backward(loss), Throws.Nothing);
        Assert.That(a.grad is not null, Is.True);
    }

    private static NamedTensors Inputs()
    {
        manual_seed(1);
        return new() { ["a"] = rand(2, 9, 5), ["b"] = randn(2, 9, 5), ["h0"] = randn(2, 5) };
    }
}
