using Zoo.Kernels;
using Zoo.MatMulFree.Ops.BitLinear;
using Zoo.MatMulFree.Ops.TernaryMatmul;
using Zoo.Recipes;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Recipes;

/// <summary>Whether additions of integers on packed weights give what the products of the training form give: bit for bit.</summary>
internal sealed class ExactRecipe : IRecipe
{
    private const string Metric = "results_that_differ";

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
            "products of the integers, at any batch. The published code multiplies dequantised numbers in 16 bits; no number of the paper is compared.",
        DefaultSeeds = 1,
    };

    public void Run(IRecipeContext context)
    {
        foreach (var (row, inputs, outputs) in Layers)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            var differing = context.Seeds.Select(seed => (double)Differing(inputs, outputs, seed)).ToList();
            context.Report(new RecipeRow(row, Metric, differing.All(d => d == 0) ? RecipeVerdict.Reproduced : RecipeVerdict.NotReproduced,
                $"Claimed: 0 of {Batches.Sum() * outputs:N0} results, batches of {string.Join(", ", Batches)}, with each of two other forms.")
            { Ours = differing });
        }
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
            differing += layer["y"].ne(packed).sum().item<long>() + layer["y"].ne(dense).sum().item<long>();
        }
        return differing;
    }
}
