using System.Text.Json.Nodes;
using Zoo.CudaEmulation;
using Zoo.Kernels;
using Zoo.Kernels.Cuda;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

/// <summary>The cuda kernels of adamw and sgd, emulated.</summary>
public sealed unsafe class UpdateCudaTests
{
    /// <summary>Measured, in units of the largest value: 7.6e-8 against float64.</summary>
    private const double Tolerance = 1.6e-7;

    [Test]
    public void Kernel_RowsOfAnyLength_EqualsFloat64(
        [Values("adamw", "sgd", "sgd with momentum")] string rule, [Values(0.0, 0.5)] double largestNorm,
        [Values("1x1", "3x7", "2x4096", "2x4097", "1x9000", "300x2", "2x0")] string shape)
    {
        using var scope = NewDisposeScope();
        manual_seed(2);
        var sizes = shape.Split('x').Select(long.Parse).ToArray();
        UpdateOp op = rule == "adamw" ? AdamWUpdate.Instance : SgdUpdate.Instance;
        var inputs = new NamedTensors { ["params"] = randn(sizes), ["grads"] = randn(sizes) };
        if (rule != "sgd")
        {
            foreach (var name in op.StateNames)
                inputs[name] = rand(sizes);
        }
        var options = new OpOptions(new JsonObject { ["lr"] = 0.1, ["weight_decay"] = 0.2, ["max_norm"] = largestNorm });
        EmulatedOp.Check(op, inputs, Tolerance, options);
    }

    [TestCase(float.NaN), TestCase(float.PositiveInfinity), TestCase(1e20f)]
    public void Kernel_NormNotFinite_UpdatesNothing(float number)
    {
        EmulatedOp.Require();
        using var scope = NewDisposeScope();
        using var emulation = CudaEmulator.Install();
        var inputs = new NamedTensors { ["params"] = ones(2, 50), ["grads"] = ones(2, 50), ["exp_avg"] = ones(2, 50), ["exp_avg_sq"] = ones(2, 50) };
        inputs["grads"][1, 3] = number;
        var outputs = AdamWUpdate.Instance.Invoke(
            inputs, new OpOptions(new JsonObject { ["max_norm"] = 1.0 }), KernelChoice.Parse("adamw=cuda")).Outputs;
        Assert.That(float.IsFinite(outputs["grad_norm"].item<float>()), Is.False);
        foreach (var name in new[] { "params", "exp_avg", "exp_avg_sq" })
            Assert.That(inputs[name].Equals(ones(2, 50)), Is.True, name);
    }

    [Test]
    public void Run_TensorsOfManySizesWithBFloat16_EqualsTheCpu([Values] bool bfloat16, [Values(0.0, 0.5)] double largestNorm)
    {
        EmulatedOp.Require();
        using var scope = NewDisposeScope();
        manual_seed(3);
        var device = new CudaEmulator();
        var buffers = new List<(DeviceBuffer Buffer, Tensor Tensor)>();
        try
        {
            var (onCpu, onCard) = (new List<UpdateEntry>(), new List<UpdateEntry>());
            foreach (var count in new[] { 1, 17, 4096, 4097, 5, 9001 })
            {
                var (value, first, second) = (randn(count), randn(count), rand(count));
                var gradient = bfloat16 ? randn(count).to(ScalarType.BFloat16) : randn(count);
                var copy = zeros(count, ScalarType.BFloat16);
                UpdateEntry Entry(Func<Tensor, nint> pointer) => new()
                {
                    Count = count,
                    Value = (float*)pointer(value),
                    Gradient = (void*)pointer(gradient),
                    IsBFloat16 = bfloat16,
                    First = (float*)pointer(first),
                    Second = (float*)pointer(second),
                    Copy = bfloat16 ? (ushort*)pointer(copy) : null,
                    LearningRate = 0.01 * (1 + count % 3),
                    WeightDecay = 0.1 * (count % 2),
                };
                onCard.Add(Entry(tensor =>
                {
                    buffers.Add((DeviceBuffer.Of(device, KernelArray.Of(tensor)), tensor));
                    return buffers[^1].Buffer.Array.Pointer;
                }));
                onCpu.Add(Entry(tensor => KernelArray.Of(tensor).Pointer));
            }
            var rule = new AdamWRule(0.9, 0.95, 1e-8, 3);
            using (var cuda = new CudaLauncher(device, CudaSource.Of(typeof(UpdateOp).Assembly, "Optimizers.cu"), "a test"))
                UpdateCuda.Run([.. onCard], rule, largestNorm, cuda);
            UpdateCpu.Run([.. onCpu], rule, largestNorm);
            foreach (var (buffer, tensor) in buffers)
            {
                var got = zeros_like(tensor);
                buffer.CopyTo(KernelArray.Of(got));
                var exact = tensor.to(ScalarType.Float32);
                var allowed = tensor.dtype == ScalarType.BFloat16 ? 0.016 : 5e-7;   // of the cpu backend in float32; a bfloat16 number at a rounding's edge: an ulp of values up to 4
                Assert.That((got.to(ScalarType.Float32) - exact).abs().max().item<float>(), Is.LessThanOrEqualTo(allowed));
            }
        }
        finally
        {
            foreach (var (buffer, _) in buffers)
                buffer.Dispose();
        }
    }
}
