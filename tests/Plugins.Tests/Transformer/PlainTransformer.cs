using Zoo.SageAttention;
using static TorchSharp.torch;

namespace Zoo.Tests.Transformer;

/// <summary>
/// Both forms of the Transformer once more, number by number in float64, from the papers: no code in common with the plugin but the names of
/// parameters.
/// </summary>
internal sealed class PlainTransformer(IReadOnlyDictionary<string, Tensor> parameters)
{
    private readonly Dictionary<string, double[]> _values = [];

    /// <summary>Logits of a sequence, [time][vocabulary].</summary>
    public double[][] NanoGpt(NanoGptConfig config, long[] ids)
    {
        var x = ids.Select((id, t) => Add(Row("transformer.wte.weight", id), Row("transformer.wpe.weight", t))).ToArray();
        for (var layer = 0; layer < config.LayerCount; layer++)
        {
            var name = $"transformer.h.{layer}.";
            var qkv = x.Select(v => Linear(name + "attn.c_attn", LayerNorm(name + "ln_1", v))).ToArray();
            var dim = config.ModelDim;
            var attended = Attention(
                [.. qkv.Select(v => v[..dim])], [.. qkv.Select(v => v[dim..(2 * dim)])], [.. qkv.Select(v => v[(2 * dim)..])], config.HeadCount, config.HeadCount);
            x = [.. x.Zip(attended, (v, a) => Add(v, Linear(name + "attn.c_proj", a)))];
            x = [.. x.Select(v => Add(v, Linear(name + "mlp.c_proj", [.. Linear(name + "mlp.c_fc", LayerNorm(name + "ln_2", v)).Select(u => config.HasTanhGelu ? GeluByTanh(u) : Gelu(u))])))];
        }
        return [.. x.Select(v => Times("transformer.wte.weight", LayerNorm("transformer.ln_f", v)))];
    }

    /// <summary>Logits of a sequence, [time][vocabulary].</summary>
    public double[][] Llama(LlamaConfig config, long[] ids)
    {
        var x = ids.Select(id => Row("model.embed_tokens.weight", id)).ToArray();
        for (var layer = 0; layer < config.LayerCount; layer++)
        {
            var name = $"model.layers.{layer}.";
            var normed = x.Select(v => RmsNorm(name + "input_layernorm", v, config.NormEpsilon)).ToArray();
            var q = normed.Select((v, t) => Rotate(Linear(name + "self_attn.q_proj", v), t, config)).ToArray();
            var k = normed.Select((v, t) => Rotate(Linear(name + "self_attn.k_proj", v), t, config)).ToArray();
            var attended = Attention(q, k, [.. normed.Select(v => Linear(name + "self_attn.v_proj", v))], config.HeadCount, config.KeyHeadCount);
            x = [.. x.Zip(attended, (v, a) => Add(v, Linear(name + "self_attn.o_proj", a)))];
            x = [.. x.Select(v => Add(v, Gated(name + "mlp.", RmsNorm(name + "post_attention_layernorm", v, config.NormEpsilon))))];
        }
        var head = parameters.ContainsKey("lm_head.weight") ? "lm_head.weight" : "model.embed_tokens.weight";
        return [.. x.Select(v => Times(head, RmsNorm("model.norm", v, config.NormEpsilon)))];
    }

    private double[] Gated(string name, double[] x)
    {
        var (gate, up) = (Linear(name + "gate_proj", x), Linear(name + "up_proj", x));
        return Linear(name + "down_proj", [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)]);
    }

    private static double[][] Attention(double[][] q, double[][] k, double[][] v, int heads, int keyHeads)
    {
        var width = q[0].Length / heads;
        var result = q.Select(x => new double[x.Length]).ToArray();
        for (var head = 0; head < heads; head++)
        {
            var (from, source) = (head * width, head / (heads / keyHeads) * width);
            for (var t = 0; t < q.Length; t++)
            {
                var weights = new double[t + 1];
                for (var s = 0; s <= t; s++)
                    weights[s] = Math.Exp(Enumerable.Range(0, width).Sum(i => q[t][from + i] * k[s][source + i]) / Math.Sqrt(width));
                for (var i = 0; i < width; i++)
                    result[t][from + i] = Enumerable.Range(0, t + 1).Sum(s => weights[s] * v[s][source + i]) / weights.Sum();
            }
        }
        return result;
    }

    /// <summary>Pair (i, i + half) of each head turns by position · θ^(-2i / width).</summary>
    private static double[] Rotate(double[] x, int position, LlamaConfig config)
    {
        var width = config.HeadDim;
        var turned = new double[x.Length];
        for (var start = 0; start < x.Length; start += width)
        {
            for (var i = 0; i < width / 2; i++)
            {
                var angle = position * Math.Pow(config.RopeTheta, -2.0 * i / width);
                var (a, b) = (x[start + i], x[start + i + width / 2]);
                turned[start + i] = a * Math.Cos(angle) - b * Math.Sin(angle);
                turned[start + i + width / 2] = a * Math.Sin(angle) + b * Math.Cos(angle);
            }
        }
        return turned;
    }

    private double[] LayerNorm(string name, double[] x)
    {
        var mean = x.Average();
        var size = Math.Sqrt(x.Average(v => (v - mean) * (v - mean)) + 1e-5);
        var (weight, bias) = (Values(name + ".weight"), parameters.ContainsKey(name + ".bias") ? Values(name + ".bias") : new double[x.Length]);
        return [.. x.Select((v, i) => (v - mean) / size * weight[i] + bias[i])];
    }

    private double[] RmsNorm(string name, double[] x, double epsilon)
    {
        var size = Math.Sqrt(x.Average(v => v * v) + epsilon);
        var weight = Values(name + ".weight");
        return [.. x.Select((v, i) => v / size * weight[i])];
    }

    private double[] Linear(string name, double[] x)
    {
        var product = Times(name + ".weight", x);
        return parameters.ContainsKey(name + ".bias") ? Add(product, Values(name + ".bias")) : product;
    }

    private double[] Times(string name, double[] x)
    {
        var (values, rows) = (Values(name), (int)parameters[name].shape[0]);
        return [.. Enumerable.Range(0, rows).Select(r => Enumerable.Range(0, x.Length).Sum(c => values[r * x.Length + c] * x[c]))];
    }

    private double[] Row(string name, long row)
    {
        var width = (int)parameters[name].shape[1];
        return Values(name)[((int)row * width)..((int)(row + 1) * width)];
    }

    private double[] Values(string name)
    {
        if (!_values.TryGetValue(name, out var values))
            _values[name] = values = [.. parameters[name].detach().contiguous().data<float>().Select(v => (double)v)];
        return values;
    }

    private static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    private static double GeluByTanh(double x) => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));

    /// <summary>x Φ(x), Φ by its series for the error function.</summary>
    private static double Gelu(double x)
    {
        var (z, term, sum) = (x / Math.Sqrt(2), x / Math.Sqrt(2), x / Math.Sqrt(2));
        for (var n = 1; n < 200; n++)
        {
            term *= -z * z / n;
            sum += term / (2 * n + 1);
        }
        return x * 0.5 * (1 + 2 / Math.Sqrt(Math.PI) * sum);
    }
}
