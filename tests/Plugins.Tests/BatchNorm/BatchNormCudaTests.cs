using System.Text.Json.Nodes;
using Zoo.CudaEmulation;
using Zoo.Kernels;
using Zoo.LeNet;
using static TorchSharp.torch;

namespace Zoo.Tests.LeNet;

/// <summary>The cuda kernels of batch_norm, emulated.</summary>
public sealed class BatchNormCudaTests
{
    /// <summary>Measured, in units of the largest value: 1.1e-7.</summary>
    private const double Tolerance = 2.2e-7;

    [Test]
    public void Kernel_AnyRows_EqualsFloat64([Values(1, 17, 64, 65, 513)] int rows, [Values(1, 3, 33)] int channels, [Values] bool training)
    {
        using var scope = NewDisposeScope();
        if (training && rows == 1)
        {
            EmulatedOp.Require();
            Assert.That(() => Check(Inputs(rows, channels, 1), training), Throws.InstanceOf<ShapeException>());
            return;
        }
        Check(Inputs(rows, channels, 1), training);
    }

    /// <summary>Images, down to one element more than a row of threads and to planes that leave threads idle.</summary>
    [Test]
    public void Kernel_Images_EqualsFloat64([Values(1, 5, 65)] int batch, [Values(2, 3, 16, 64, 257)] int elements, [Values] bool training)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(batch, 3, elements), training);
    }

    [Test]
    public void Kernel_FarFromZero_EqualsFloat64([Values(1, 16)] int elements)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(40, 3, elements);
        inputs["x"] = inputs["x"] * 0.25 + 1e5;
        Check(inputs, training: true);
    }

    [Test]
    public void Kernel_NoWeightNoBias_EqualsFloat64([Values] bool training)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(9, 5, 4);
        inputs.Remove("weight");
        inputs.Remove("bias");
        Check(inputs, training);
    }

    [Test]
    public void Kernel_SomeGradientsOnly_AreThose([Range(0, 6)] int subset, [Values] bool training)
    {
        using var scope = NewDisposeScope();
        string[] all = ["x", "weight", "bias"];
        Check(Inputs(9, 5, 4), training, [.. all.Where((_, i) => (subset >> i & 1) == 1)]);
    }

    [Test]
    public void Kernel_NoImages_GivesNothing()
    {
        using var scope = NewDisposeScope();
        Check(Inputs(0, 3, 4), training: false);
    }

    private static NamedTensors Inputs(long batch, long channels, long elements)
    {
        manual_seed(3);
        return new()
        {
            ["x"] = randn(batch, channels, elements) * 2 + 0.5,
            ["weight"] = rand(channels) + 0.5,
            ["bias"] = randn(channels),
            ["running_mean"] = randn(channels),
            ["running_var"] = rand(channels) + 0.5,
        };
    }

    private static void Check(NamedTensors inputs, bool training, IReadOnlyCollection<string>? wanted = null)
    {
        if (training)
        {
            inputs.Remove("running_mean");
            inputs.Remove("running_var");
        }
        wanted ??= [.. inputs.Keys.Where(n => !n.StartsWith("running", StringComparison.Ordinal))];
        EmulatedOp.Check(BatchNorm.Instance, inputs, Tolerance, new OpOptions(new JsonObject { ["training"] = training }), wanted);
    }
}
