using System.Text.Json.Nodes;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.SageAttention;

/// <summary>Inputs, options and exact results for tests of quantised attention.</summary>
internal static class SageCalls
{
    /// <summary>Normal numbers around means of channels: the outliers that smoothing is for.</summary>
    public static NamedTensors Inputs(long batch, long heads, long keyHeads, long queries, long keys, long dim)
    {
        manual_seed(3);
        return new()
        {
            ["q"] = randn(batch, heads, queries, dim) + randn(1, heads, 1, dim),
            ["k"] = randn(batch, keyHeads, keys, dim) + 2 * randn(1, keyHeads, 1, dim),
            ["v"] = randn(batch, keyHeads, keys, dim),
        };
    }

    public static OpOptions Options(params (string Name, JsonNode Value)[] options) =>
        new(new JsonObject(options.Select(o => KeyValuePair.Create<string, JsonNode?>(o.Name, o.Value))));

    /// <summary>Softmax attention in float64; queries that see nothing are zero.</summary>
    public static Tensor Exact(NamedTensors inputs, bool causal, double? scale = null)
    {
        var (q, k, v) = (inputs["q"].to(ScalarType.Float64), Heads("k"), Heads("v"));
        var (queries, keys) = (q.shape[2], k.shape[2]);
        var scores = einsum("bhld,bhnd->bhln", q, k) * (scale ?? 1 / Math.Sqrt(q.shape[3]));
        if (causal)
            scores = scores.masked_fill(ones([queries, keys], ScalarType.Bool).triu(keys - queries + 1), double.NegativeInfinity);
        return einsum("bhln,bhnd->bhld", scores.softmax(-1).nan_to_num(0), v);

        Tensor Heads(string name) =>
            inputs[name].to(ScalarType.Float64).repeat_interleave(inputs["q"].shape[1] / inputs[name].shape[1], dim: 1);
    }

    /// <summary>Requires what golden/README.md says of a case: integers exact, the rest within its tolerance, accuracy reached.</summary>
    public static void RequireCase(GoldenCase golden, OpCaseResult result)
    {
        Assert.That(result.Problems, Is.Empty);
        foreach (var (name, expected) in golden.With("out."))
        {
            Assert.That(result.Outputs.Find(name), Is.Not.Null, name);
            var exact = !expected.is_floating_point();
            TensorAssert.Close(result.Outputs[name].to(ScalarType.Float64), expected.to(ScalarType.Float64),
                exact ? 0 : golden.AbsoluteTolerance, exact ? 0 : golden.RelativeTolerance, name);
        }
    }
}
