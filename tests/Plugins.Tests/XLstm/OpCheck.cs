using System.Text.Json.Nodes;
using Zoo.Kernels;
using Zoo.Tests.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.XLstm;

/// <summary>A kernel on memory that held NaN, and the op's entry on tensors that are not contiguous, against the reference in float64.</summary>
internal static class OpCheck
{
    /// <summary>The largest difference of any output or gradient, in units of that tensor's largest value, at least 1.</summary>
    /// <param name="op">The op.</param>
    /// <param name="inputs">Float32.</param>
    /// <param name="keys">By which the kernel finds outputs that are not called as it calls them.</param>
    /// <param name="options">The op's options.</param>
    /// <param name="given">Outputs that get a gradient; all where null.</param>
    /// <param name="wanted">Inputs that want one; all where null.</param>
    public static (double Worst, string What) Difference(
        Op op, NamedTensors inputs, IReadOnlyDictionary<string, string>? keys = null, JsonObject? options = null,
        IReadOnlyCollection<string>? given = null, IReadOnlyCollection<string>? wanted = null)
    {
        var opOptions = new OpOptions(options ?? []);
        wanted ??= inputs.Keys;
        var shapes = new NamedTensors(KernelRun.Entry(op, inputs, opOptions, [], [], KernelChoice.Reference, float32));
        var cotangents = new NamedTensors(shapes.Where(s => given?.Contains(s.Key) ?? true).Select(s => KeyValuePair.Create(s.Key, randn(s.Value.shape))));
        var expected = KernelRun.Entry(op, inputs, opOptions, cotangents, wanted, KernelChoice.Reference, float64);
        var kernel = KernelRun.Kernel(op, inputs, opOptions, Renamed(shapes, keys), Renamed(cotangents, keys), wanted);
        var back = (keys ?? new Dictionary<string, string>()).ToDictionary(k => k.Value, k => k.Key);
        var worst = KernelRun.Difference(Renamed(kernel, back), expected);
        var odd = new NamedTensors(inputs.Select(i => KeyValuePair.Create(i.Key, i.Value.dim() < 2 ? i.Value : i.Value.transpose(0, 1).contiguous().transpose(0, 1))));
        var entry = KernelRun.Difference(KernelRun.Entry(op, odd, opOptions, cotangents, wanted, KernelChoice.Cpu, float32), expected);
        return entry.Worst > worst.Worst ? entry : worst;
    }

    private static NamedTensors Renamed(NamedTensors tensors, IReadOnlyDictionary<string, string>? names) =>
        new(tensors.Select(t => KeyValuePair.Create(names?.GetValueOrDefault(t.Key) ?? t.Key, t.Value)));
}
