using Zoo.XLstm;
using Zoo.XLstm.Config;
using static TorchSharp.torch;

namespace Zoo.Tests.XLstm;

/// <summary>
/// Both language models once more in float64, step by step from the paper: no code in common with the plugin but the names of parameters. Gradients are
/// libtorch's.
/// </summary>
internal sealed class PlainXLstm(IReadOnlyDictionary<string, Tensor> parameters)
{
    /// <summary>[batch, time] to [batch, time, vocabulary].</summary>
    public Tensor Logits(XLstmConfig config, Tensor ids)
    {
        var x = Embed("token_embedding.weight", ids);
        for (var block = 0; block < config.BlockCount; block++)
        {
            var name = $"xlstm_block_stack.blocks.{block}.";
            var normed = OffsetNorm(name + "xlstm_norm", x);
            x = x + (config.IsSlstm(block) ? Slstm(config, name + "xlstm.", normed) : Mlstm(config, name + "xlstm.", normed));
            if (!config.IsSlstm(block) || config.Slstm!.FeedForward is not { } feedForward)
                continue;
            var parts = Linear(name + "ffn.proj_up", OffsetNorm(name + "ffn_norm", x)).chunk(2, -1);
            x = x + Linear(name + "ffn.proj_down", Activate(feedForward.Activation, parts[0]) * parts[1]);
        }
        if (config.LastNorm)
            x = OffsetNorm("xlstm_block_stack.post_blocks_norm", x);
        return x.matmul(parameters.GetValueOrDefault("lm_head.weight", parameters["token_embedding.weight"]).t());
    }

    /// <summary>As the other, of the large form.</summary>
    public Tensor Logits(XLstmLargeConfig config, Tensor ids)
    {
        var x = Embed("embedding.weight", ids);
        for (var block = 0; block < config.BlockCount; block++)
        {
            var name = $"backbone.blocks.{block}.";
            x = x + LargeMlstm(config, name + "mlstm_layer.", RootNorm(name + "norm_mlstm", x, config.NormEpsilon));
            var normed = RootNorm(name + "norm_ffn", x, config.NormEpsilon);
            var (gate, up) = config.WeightMode == WeightMode.Single
                ? (Linear(name + "ffn.proj_up_gate", normed), Linear(name + "ffn.proj_up", normed))
                : Halves(Linear(name + "ffn.proj_up_gate_z", normed));
            x = x + Linear(name + "ffn.proj_down", gate * gate.sigmoid() * up);
        }
        if (config.LastNorm)
            x = RootNorm("backbone.out_norm", x, config.NormEpsilon);
        return Capped(Linear("lm_head", x), config.LogitCap);
    }

    private Tensor LargeMlstm(XLstmLargeConfig config, string name, Tensor x)
    {
        int queries = config.QueryDim, values = config.ValueDim;
        Tensor q, k, v, o, i, f;
        if (config.WeightMode == WeightMode.Single)
        {
            (q, k, v, o) = (Linear(name + "q", x), Linear(name + "k", x), Linear(name + "v", x), Linear(name + "ogate_preact", x));
            (i, f) = (Linear(name + "igate_preact", x), Linear(name + "fgate_preact", x));
        }
        else
        {
            var all = Linear(name + "qkv_opreact", x).split([queries, queries, values, values], -1);
            (q, k, v, o) = (all[0], all[1], all[2], all[3]);
            (i, f) = Halves(Linear(name + "ifgate_preact", x));
        }
        var h = MatrixMemory(q, k, v, Capped(i, config.GateCap), Capped(f, config.GateCap), config.HeadCount, config.Epsilon);
        var normed = nn.functional.layer_norm(h, [h.shape[^1]], null, null, config.NormEpsilon).flatten(2) * parameters[name + "multihead_norm.weight"];
        if (parameters.GetValueOrDefault(name + "multihead_norm.bias") is { } bias)
            normed = normed + bias;
        return Linear(name + "out_proj", normed * o.sigmoid());
    }

    private Tensor Mlstm(XLstmConfig config, string name, Tensor x)
    {
        var (inner, z) = Halves(Linear(name + "proj_up", x));
        var conv = Convolve(name + "conv1d.conv", inner);
        var (q, k, v) = (ByHead(name + "q_proj", conv), ByHead(name + "k_proj", conv), ByHead(name + "v_proj", inner));
        var all = cat([q, k, v], -1);
        var h = MatrixMemory(q, k, v, Linear(name + "mlstm_cell.igate", all), Linear(name + "mlstm_cell.fgate", all), config.Mlstm!.Layer.HeadCount, 1e-6);
        var y = HeadNorm(name + "mlstm_cell.outnorm.weight", h) + parameters[name + "learnable_skip"] * conv;
        return Linear(name + "proj_down", y * z * z.sigmoid());
    }

    /// <summary>Equations 19 to 27: C_t = f C_{t-1} + i v kᵀ, h = C q / max(|nᵀ q|, 1), all over exp(m).</summary>
    private static Tensor MatrixMemory(Tensor queries, Tensor keys, Tensor values, Tensor i, Tensor f, int heads, double epsilon)
    {
        var (q, k, v) = (Heads(queries), Heads(keys), Heads(values));              // [batch, time, head, dim]
        var (batch, time, dim) = (q.shape[0], q.shape[1], q.shape[3]);
        var c = zeros([batch, heads, dim, v.shape[3]], ScalarType.Float64);
        var n = zeros([batch, heads, dim], ScalarType.Float64);
        var m = zeros([batch, heads], ScalarType.Float64);
        var outputs = new List<Tensor>();
        for (var t = 0; t < time; t++)
        {
            var (qt, kt, vt, it) = (q.select(1, t), k.select(1, t) / Math.Sqrt(dim), v.select(1, t), i.select(1, t));
            var kept = nn.functional.logsigmoid(f.select(1, t)) + m;
            m = maximum(kept, it);
            var (forget, input) = ((kept - m).exp(), (it - m).exp());
            c = forget.unsqueeze(-1).unsqueeze(-1) * c + input.unsqueeze(-1).unsqueeze(-1) * kt.unsqueeze(-1) * vt.unsqueeze(-2);
            n = forget.unsqueeze(-1) * n + input.unsqueeze(-1) * kt;
            var scale = maximum((n * qt).sum(-1).abs(), (-m).exp()) + epsilon;
            outputs.Add((qt.unsqueeze(-1) * c).sum(-2) / scale.unsqueeze(-1));
        }
        return stack(outputs, 1);

        Tensor Heads(Tensor x) => x.reshape(x.shape[0], x.shape[1], heads, x.shape[2] / heads);
    }

    /// <summary>Equations 8 to 18, with R head by head. Upstream's names of input and forget gate are swapped.</summary>
    private Tensor Slstm(XLstmConfig config, string name, Tensor x)
    {
        var layer = config.Slstm!.Layer;
        var convolved = layer.ConvWidth > 0 ? Convolve(name + "conv1d.conv", x) : x;
        Tensor[] gates =
        [
            ByHead(name + "fgate", convolved), ByHead(name + "igate", convolved), ByHead(name + "zgate", x), ByHead(name + "ogate", x),
        ];
        var (batch, heads) = (x.shape[0], layer.HeadCount);
        var dim = x.shape[2] / heads;
        var recurrent = parameters[name + "slstm_cell._recurrent_kernel_"].view(heads, 4, dim, dim);
        var bias = parameters[name + "slstm_cell._bias_"].view(4, heads, dim);
        Tensor y = Zeros(), c = Zeros(), n = Zeros(), m = Zeros();
        var outputs = new List<Tensor>();
        for (var t = 0; t < x.shape[1]; t++)
        {
            Tensor Gate(int g) => gates[g].select(1, t).view(batch, heads, dim) + bias[g] + (recurrent.select(1, g) * y.unsqueeze(-2)).sum(-1);
            var (i, f, z, o) = (Gate(0), Gate(1), Gate(2), Gate(3));
            var kept = nn.functional.logsigmoid(f) + m;
            m = t == 0 ? i : maximum(kept, i);
            var (input, forget) = ((i - m).exp(), (kept - m).exp());
            c = forget * c + input * z.tanh();
            n = forget * n + input;
            y = o.sigmoid() * c / n;
            outputs.Add(y);
        }
        return HeadNorm(name + "group_norm.weight", stack(outputs, 1));

        Tensor Zeros() => zeros([batch, heads, dim], ScalarType.Float64);
    }

    private static Tensor Activate(FeedForwardActivation activation, Tensor x) => activation switch
    {
        FeedForwardActivation.Gelu => x * (1 + (x / Math.Sqrt(2)).erf()) / 2,
        FeedForwardActivation.Relu => x.clamp_min(0),
        FeedForwardActivation.ReluSquared => x.clamp_min(0) * x.clamp_min(0),
        FeedForwardActivation.Sigmoid => 1 / (1 + (-x).exp()),
        FeedForwardActivation.Swish => x / (1 + (-x).exp()),
        _ => where(x > 0, x, 1.6732632423543772848170429916717 * x.clamp_max(0).expm1()) * 1.0507009873554804934193349852946,
    };

    private static Tensor Capped(Tensor x, double? cap) => cap is { } bound ? (x / bound).tanh() * bound : x;

    private static (Tensor First, Tensor Second) Halves(Tensor x)
    {
        var parts = x.chunk(2, -1);
        return (parts[0], parts[1]);
    }

    private Tensor Embed(string name, Tensor ids) => parameters[name].index_select(0, ids.flatten()).view(ids.shape[0], ids.shape[1], -1);

    private Tensor OffsetNorm(string name, Tensor x) => nn.functional.layer_norm(x, [x.shape[^1]], parameters[name + ".weight"] + 1, null, 1e-5);

    private Tensor RootNorm(string name, Tensor x, double epsilon)
    {
        var y = x / (x * x).mean([-1], keepdim: true).add(epsilon).sqrt() * parameters[name + ".weight"];
        return parameters.GetValueOrDefault(name + ".bias") is { } bias ? y + bias : y;
    }

    /// <summary>Each head on its own, [batch, time, head, dim] to [batch, time, heads · dim]; the weight is stored less one, and may be missing.</summary>
    private Tensor HeadNorm(string weight, Tensor h)
    {
        var y = nn.functional.layer_norm(h, [h.shape[^1]], null, null, 1e-5).flatten(2);
        return parameters.GetValueOrDefault(weight) is { } stored ? y * (stored + 1) : y;
    }

    /// <summary>Causal, each channel on its own, then SiLU.</summary>
    private Tensor Convolve(string name, Tensor x)
    {
        var weight = parameters[name + ".weight"];
        var padded = nn.functional.pad(x.transpose(1, 2), [weight.shape[2] - 1, 0]);
        return nn.functional.silu(nn.functional.conv1d(padded, weight, parameters[name + ".bias"], groups: weight.shape[0])).transpose(1, 2);
    }

    /// <summary>A matrix a block of channels: weight [block, out, in].</summary>
    private Tensor ByHead(string name, Tensor x)
    {
        var weight = parameters[name + ".weight"];
        var y = (weight * x.view(x.shape[0], x.shape[1], weight.shape[0], 1, weight.shape[2])).sum(-1).flatten(2);
        return parameters.GetValueOrDefault(name + ".bias") is { } bias ? y + bias : y;
    }

    private Tensor Linear(string name, Tensor x)
    {
        var y = x.matmul(parameters[name + ".weight"].t());
        return parameters.GetValueOrDefault(name + ".bias") is { } bias ? y + bias : y;
    }
}
