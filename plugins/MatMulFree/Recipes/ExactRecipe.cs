using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.MatMulFree.Model;
using Zoo.MatMulFree.Ops.BitLinear;
using Zoo.MatMulFree.Ops.TernaryMatmul;
using Zoo.Recipes;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Recipes;

/// <summary>Whether additions of integers on packed weights give what the training form gives, bit for bit: in single layers, and in a model's logits.</summary>
internal sealed class ExactRecipe : IRecipe
{
    private const string LayerMetric = "results_that_differ", ModelMetric = "logits_that_differ";

    /// <summary>Tokens of a sequence, and how many of them go through step by step.</summary>
    private const int Length = 96, Steps = 32;

    private const int Sequences = 3;

    /// <summary>The layers of the paper's 370 million parameters, and widths that fill no vector.</summary>
    private static readonly (string Row, long Inputs, long Outputs)[] Layers =
    [
        ("projection 1024 → 1024", 1024, 1024), ("gate 1024 → 5632", 1024, 5632), ("down 2816 → 1024", 2816, 1024), ("head 1024 → 32000", 1024, 32_000),
        ("odd widths 333 → 77", 333, 77),
    ];

    private static readonly long[] Batches = [1, 2, 7, 64];

    public RecipeInfo Info { get; } = new("matmulfree-exact",
        "Packed inference against the training form, bit for bit",
        "Zhu et al. 2024, Scalable MatMul-free Language Modeling, arXiv:2406.02528, section 3.1: ternary weights make a product additions and subtractions")
    {
        Claim = "On weights of two bits, additions of 8-bit activations give the very bits that the unpacked layer gives, and both those of dense float32 " +
            "products of the integers, at any batch; so a packed model has the logits of its unpacked form, all at once and token by token. The published " +
            "code multiplies dequantised numbers in 16 bits; no number of the paper is compared.",
        DefaultSeeds = 1,
    };

    public void Run(IRecipeContext context)
    {
        foreach (var (row, inputs, outputs) in Layers)
        {
            Report(context, row, LayerMetric, seed => Differing(inputs, outputs, seed),
                $"0 of {Batches.Sum() * outputs:N0} results, batches of {string.Join(", ", Batches)}, with each of two other forms.");
        }
        foreach (var (row, config) in Models(context.Scale))
        {
            Report(context, row, ModelMetric, seed => Differing(config, seed),
                $"0 of {2L * Sequences * Length * config.VocabSize:N0} logits of {Sequences} sequences of {Length} tokens: all at once, and with {Steps} of them step by step.");
        }
    }

    /// <summary>Whole models: with the ternary head of the published code, a tied one, the paper's in full precision, and one of the paper's sizes.</summary>
    private static IEnumerable<(string Row, MatMulFreeConfig Config)> Models(RecipeScale scale)
    {
        var small = MatMulFreeConfig.Sized(128, 4, vocab: 256);
        yield return ("model of a million parameters", small);
        yield return ("the same, head tied to the embedding", small with { TieEmbeddings = true });
        yield return ("the same, head in full precision", small with { TernaryHead = false });
        yield return ("odd widths 72, 200", small with { ModelDim = 72, GivenIntermediateDim = 200, VocabSize = 77 });
        if (scale == RecipeScale.Full)
            yield return ("370m", MatMulFreeConfig.Sized(1024, 24));
    }

    private static void Report(IRecipeContext context, string row, string metric, Func<int, long> differing, string claimed)
    {
        context.Cancellation.ThrowIfCancellationRequested();
        var ours = context.Seeds.Select(seed => (double)differing(seed)).ToList();
        context.Report(new RecipeRow(row, metric, ours.All(d => d == 0) ? RecipeVerdict.Reproduced : RecipeVerdict.NotReproduced, $"Claimed: {claimed}") { Ours = ours });
    }

    /// <summary>Results of the packed product and of dense integers in float32 whose bits are not the layer's.</summary>
    private static long Differing(long inputs, long outputs, int seed)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        manual_seed(seed);
        var (norm, weight) = (empty(inputs).uniform_(0.5, 1.5), randn(outputs, inputs));
        var (codes, wScale) = TernaryPacking.Pack(weight);
        var differing = 0L;
        foreach (var batch in Batches)
        {
            using var inner = NewDisposeScope();
            var x = randn(batch, inputs);
            var layer = BitLinearOp.Instance.Invoke(
                new() { ["x"] = x, ["norm.weight"] = norm, ["weight"] = weight }, OpOptions.None, KernelChoice.Auto).Outputs;
            var xScale = layer["x_scale"].reshape(batch);
            var packed = TernaryMatmulOp.Apply(layer["x_int8"], xScale, codes, wScale.reshape(1), null, KernelChoice.Auto);
            var sums = layer["x_int8"].to(ScalarType.Float32).mm(layer["w_ternary"].to(ScalarType.Float32).t());
            var dense = sums * (layer["w_scale"] / layer["x_scale"]);
            differing += Differing(layer["y"], packed) + Differing(layer["y"], dense);
        }
        return differing;
    }

    /// <summary>Logits of a packed model, of whole sequences and of a beginning with steps after it, whose bits are not those of its unpacked form.</summary>
    private static long Differing(MatMulFreeConfig config, int seed)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        manual_seed(seed);
        using var unpacked = new MatMulFreeModel(config, new BuildContext { Kernels = KernelChoice.Auto });
        using var packed = new MatMulFreeModel(config, new BuildContext { Kernels = KernelChoice.Auto, Packed = true });
        foreach (var parameter in unpacked.parameters().Where(p => p.dim() == 1 || p.shape[0] == config.LayerCount))
            parameter.add_(empty_like(parameter).uniform_(-0.5, 0.5));       // norms and bounds away from where they start, where they would hide
        StateDict.Load(packed, unpacked.Pack(StateDict.Save(unpacked)), "the packed form");
        var ids = randint(0, config.VocabSize, [Sequences, Length], ScalarType.Int64);
        var expected = unpacked.Head(unpacked.Hidden(ids));
        return Differing(expected, packed.Head(packed.Hidden(ids))) + Differing(expected, InSteps(packed, ids));
    }

    /// <summary>The logits of sequences whose last tokens go through one by one.</summary>
    private static Tensor InSteps(MatMulFreeModel model, Tensor ids)
    {
        using var state = model.NewState(Sequences);
        var hidden = new List<Tensor> { model.Hidden(ids.narrow(1, 0, Length - Steps), state) };
        foreach (var id in ids.narrow(1, Length - Steps, Steps).unbind(1))
            hidden.Add(model.Step(id, state).unsqueeze(1));
        return model.Head(cat(hidden, 1));
    }

    /// <summary>How many are not equal; NaN is equal to nothing.</summary>
    private static long Differing(Tensor expected, Tensor actual) => expected.ne(actual).sum().item<long>();
}
