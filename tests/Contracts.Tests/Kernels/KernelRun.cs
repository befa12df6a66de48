using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

/// <summary>Runs an op's cpu kernel on memory that holds NaN before, and the reference in float64, with the same cotangents.</summary>
internal static class KernelRun
{
    /// <summary>Outputs by name and gradients by "gradient of " and the name, from the kernel itself.</summary>
    /// <param name="op">The op.</param>
    /// <param name="inputs">Contiguous float32.</param>
    /// <param name="options">Its options.</param>
    /// <param name="outputs">Shapes of the outputs.</param>
    /// <param name="cotangents">Gradients of outputs; those left out are absent.</param>
    /// <param name="wanted">Inputs whose gradients are wanted.</param>
    public static NamedTensors Kernel(
        Op op, NamedTensors inputs, OpOptions options, NamedTensors outputs, NamedTensors cotangents, IEnumerable<string> wanted)
    {
        var leaves = new NamedTensors(inputs.Select(i => KeyValuePair.Create(i.Key, op.Arguments.First(a => a.Name == i.Key) is { HasGradient: true, Dtype: null } ? i.Value.detach().requires_grad_() : i.Value)));
        var call = op.Describe(leaves, options);
        var kernel = op.Kernels.Single(k => k.Backend == KernelChoice.Cpu);
        var results = new NamedTensors();
        KernelArrays forward = new(), backward = new();
        foreach (var (name, tensor) in inputs)
        {
            forward.Add(name, KernelArray.Of(tensor));
            backward.Add(name, KernelArray.Of(tensor));
        }
        foreach (var (name, tensor) in outputs)
        {
            results[name] = full(tensor.shape, float.NaN);
            forward.Add(name, KernelArray.Of(results[name]));
            backward.Add(name, KernelArray.Of(results[name]));
        }
        var saved = new List<Tensor>();
        foreach (var spec in kernel.Saved(call))
        {
            saved.Add(full(spec.Shape, float.NaN, spec.Dtype));
            forward.Add(spec.Name, KernelArray.Of(saved[^1]));
            backward.Add(spec.Name, KernelArray.Of(saved[^1]));
        }
        kernel.Forward(call, forward);
        foreach (var (name, tensor) in cotangents)
            backward.AddGradient(name, KernelArray.Of(tensor));
        foreach (var name in wanted)
        {
            results["gradient of " + name] = full_like(inputs[name], float.NaN);
            backward.AddGradient(name, KernelArray.Of(results["gradient of " + name]));
        }
        kernel.Backward(call, backward);
        GC.KeepAlive(saved);
        return results;
    }

    /// <summary>The same from the op's entry, on any backend and element type.</summary>
    public static NamedTensors Entry(
        Op op, NamedTensors inputs, OpOptions options, NamedTensors cotangents, IReadOnlyCollection<string> wanted, string kernels, ScalarType dtype)
    {
        var leaves = new NamedTensors(inputs.Select(
            i => KeyValuePair.Create(i.Key, i.Value.is_floating_point() ? i.Value.detach().to(dtype).requires_grad_(wanted.Contains(i.Key)) : i.Value)));
        var results = op.Invoke(leaves, options, KernelChoice.Parse(kernels)).Outputs;
        if (cotangents.Count == 0 || wanted.Count == 0)
            return results;
        var loss = cotangents.Select(c => (results[c.Key] * c.Value.to(dtype)).sum()).Aggregate((x, y) => x + y);
        Gradients.Backward(loss);
        foreach (var name in wanted)
            results["gradient of " + name] = leaves[name].grad ?? zeros_like(leaves[name]);
        return results;
    }

    /// <summary>The largest difference of any result, in units of its largest value, at least 1; NaN counts as infinite.</summary>
    public static (double Worst, string What) Difference(NamedTensors actual, NamedTensors expected)
    {
        var worst = (Error: 0.0, What: "nothing");
        foreach (var (name, tensor) in actual)
        {
            Assert.That(tensor.shape, Is.EqualTo(expected[name].shape), name);
            if (tensor.numel() == 0)
                continue;
            var exact = expected[name].detach().to(ScalarType.Float64);
            var size = Math.Max(1, exact.abs().max().item<double>());
            var error = (tensor.detach().to(ScalarType.Float64) - exact).abs().nan_to_num(double.PositiveInfinity).max().item<double>() / size;
            if (error > worst.Error)
                worst = (error, name);
        }
        return worst;
    }
}
