using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.XLstm.Ops.Slstm;

/// <summary>sLSTM in plain tensor code, a step after the other; autograd derives the backward. Every backend is tested against this.</summary>
internal static class SlstmReference
{
    /// <param name="inputs">As <see cref="Slstm.Arguments"/> has them.</param>
    /// <returns>y, [batch, head, time, dim], and the final state, [4, batch, head · dim].</returns>
    public static NamedTensors Forward(NamedTensors inputs)
    {
        using var scope = NewDisposeScope();
        var (x, weights) = (inputs["x"], inputs["_recurrent_kernel_"]);
        long batch = x.size(0), heads = weights.size(0), dim = weights.size(2);
        var recurrent = weights.transpose(1, 2).contiguous();                       // [head, dim, 4 · dim]
        var given = inputs.Find("state") ?? zeros([4, batch, heads * dim], x.dtype, x.device);
        var parts = given.view(4, batch, heads, dim).transpose(1, 2).unbind(0);     // each [head, batch, dim]
        var (y, c, n, m) = (parts[0], parts[1], parts[2], parts[3]);
        var outputs = new List<Tensor>();
        foreach (var xt in (x + inputs["_bias_"]).unbind(1))
        {
            var ofInput = xt.view(batch, 4, heads, dim).permute(2, 0, 1, 3);        // [head, batch, gate, dim]
            var gates = ofInput.Plus(bmm(y, recurrent).view(heads, batch, 4, dim)).unbind(2);
            (y, c, n, m) = Step(gates[0], gates[1], gates[2], gates[3], c, n, m);
            outputs.Add(y);
        }
        var all = outputs.Count > 0 ? stack(outputs, 2).transpose(0, 1) : x.view(batch, 0, 4, heads, dim).sum(2).transpose(1, 2);  // no time: empty
        return new()
        {
            ["y"] = all.MoveToOuterDisposeScope(),
            ["state"] = stack([y, c, n, m]).transpose(1, 2).reshape(4, batch, heads * dim).MoveToOuterDisposeScope(),
        };
    }

    /// <summary>One step of every head; all [head, batch, dim].</summary>
    private static (Tensor Y, Tensor C, Tensor N, Tensor M) Step(Tensor i, Tensor f, Tensor z, Tensor o, Tensor c, Tensor n, Tensor m)
    {
        using Scalar zero = 0;
        using Scalar one = 1;
        var forgotten = m.Plus(nn.functional.logsigmoid(f));
        var isEmpty = !n.count_nonzero().ToBoolean();
        var next = isEmpty ? i : maximum(i, forgotten);
        var inputWeight = (i - next).exp();
        var forgetWeight = (forgotten - next).exp().clamp_max(one);
        c = (forgetWeight * c).Plus(inputWeight * z.tanh());
        n = (forgetWeight * n).Plus(inputWeight);
        // A sequence whose n has vanished beside others that have theirs gives 0, as one that has seen nothing.
        var y = o.sigmoid() * (c / n).masked_fill(n.eq(zero), zero);
        return (y, c, n, next);
    }
}
