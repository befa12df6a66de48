using System.Text.Json.Nodes;
using Zoo.Kernels;
using Zoo.Mamba.Ops.SelectiveScan;
using static TorchSharp.torch;

namespace Zoo.Tests.Mamba;

/// <summary>The original project's own numbers.</summary>
public sealed class SelectiveScanGoldenTests
{
    [Test]
    public void Invoke_RecordedCase_GivesTheOriginalsNumbers([Values("basic", "plain", "groups")] string name, [Values("reference", "cpu")] string kernels)
    {
        using var scope = NewDisposeScope();
        using var golden = GoldenCase.Open("Mamba", $"selective_scan-{name}");
        var inputs = new NamedTensors(golden.With("in.").Select(i => KeyValuePair.Create(i.Key, i.Value.detach().requires_grad_())));
        var options = new OpOptions(new JsonObject { ["delta_softplus"] = golden.Config["delta_softplus"]!.DeepClone() });
        var outputs = SelectiveScan.Instance.Invoke(inputs, options, KernelChoice.Parse(kernels)).Outputs;
        foreach (var (output, expected) in golden.With("out."))
            Close(outputs[output], expected, output);
        Gradients.Backward(golden.With("probe.").Select(p => (outputs[p.Key] * p.Value).sum()).Aggregate((x, y) => x + y));
        foreach (var (input, expected) in golden.With("grad.in."))
            Close(inputs[input].grad!, expected, "gradient of " + input);

        void Close(Tensor actual, Tensor expected, string what) =>
            TensorAssert.Close(actual, expected, golden.AbsoluteTolerance, golden.RelativeTolerance, what);
    }
}
