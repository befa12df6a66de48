using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Mamba.Ops.SelectiveScan;

/// <summary>The scan as a careful user of tensors writes it: few and fused operations a step. What `zoo bench` times the kernels against.</summary>
internal static class SelectiveScanLoop
{
    public static NamedTensors Run(NamedTensors inputs, OpOptions options, bool timeLast)
    {
        if (inputs["B"].ndim == 4 || inputs["C"].ndim == 4)
            return SelectiveScanReference.Forward(inputs, options.Get("delta_softplus", false), timeLast);
        using var scope = NewDisposeScope();
        var time = timeLast ? -1 : 1;
        var (u, a) = (inputs["u"], inputs["A"]);
        var delta = SelectiveScanReference.Delta(inputs, options.Get("delta_softplus", false), timeLast);
        var h = inputs.Find("initial_state") ?? zeros([u.size(0), a.size(0), a.size(1)], u.dtype, u.device);
        var outputs = new List<Tensor>();
        foreach (var (((dt, xt), bt), ct) in delta.unbind(time).Zip((delta * u).unbind(time)).Zip(inputs["B"].unbind(time)).Zip(inputs["C"].unbind(time)))
        {
            var decay = (dt.unsqueeze(-1) * a).exp_();
            h = bmm(xt.unsqueeze(-1), bt.unsqueeze(1)).addcmul(decay, h, 1);
            outputs.Add(bmm(h, ct.unsqueeze(-1)).squeeze(-1));
        }
        var y = SelectiveScanReference.Gate(stack(outputs, dim: time), inputs, timeLast);
        return new() { ["y"] = y.MoveToOuterDisposeScope(), ["last_state"] = h.MoveToOuterDisposeScope() };
    }
}
