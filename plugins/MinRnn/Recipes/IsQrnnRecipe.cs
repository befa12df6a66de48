using System.Globalization;
using System.Text.Json.Nodes;
using Zoo.Kernels;
using Zoo.MinRnn.Ops;
using Zoo.Recipes;
using Zoo.Reports;
using static TorchSharp.torch;

namespace Zoo.MinRnn.Recipes;

/// <summary>Whether minGRU is a QRNN: an f-pooling QRNN of window 1 without its tanh, on the same random weights.</summary>
/// <remarks>
/// The plain minGRU is h = (1 - z) h + z W x with z = σ(V x). f-pooling, as the original project writes it, is h = f W x + (1 - f) h with f = σ(V x), once
/// its candidate passes no tanh: the same recurrence. Two things keep the models apart: a QRNN's tanh, and the g of minGRU's log-space form.
/// </remarks>
internal sealed class IsQrnnRecipe : IRecipe
{
    private const double ExactTolerance = 1e-12;
    private const double SingleTolerance = 2e-6;

    public RecipeInfo Info { get; } = new("minrnn-is-qrnn", "Is minGRU a QRNN? Outputs and gradients of both on the same random weights",
        "Feng et al. 2024, arXiv:2410.01201, section 3.1; Bradbury et al. 2017, arXiv:1611.01576, eq. 3")
    {
        Claim = "The plain minGRU equals a QRNN of window 1 with f-pooling and no tanh, outputs and gradients, to rounding: 1e-12 in float64, 2e-6 in float32 on the " +
            "kernels. With the QRNN's tanh, or with minGRU's g, they differ.",
    };

    public void Run(IRecipeContext context)
    {
        var found = context.Seeds.Select(Compare).ToList();
        Row("equal-float64", "max_abs_difference", f => f.Exact, d => d <= ExactTolerance, $"at most {ExactTolerance:0e+0}, outputs and gradients, 40 steps of 24 dimensions");
        Row("equal-float32", "max_abs_difference", f => f.Single, d => d <= SingleTolerance, $"at most {SingleTolerance:0e+0}, each on its own kernel");
        Row("with-tanh", "max_abs_difference", f => f.WithTanh, d => d > 1e-3, "above 1e-3: a QRNN as published is another model");
        Row("with-g", "max_abs_difference", f => f.WithG, d => d > 1e-3, "above 1e-3: minGRU's log-space form is another model");
        context.Attach(new TextItem("Why",
            "Both are one linear recurrence with a gate that sees the input alone: h_t = (1 - z_t) h_{t-1} + z_t v_t. A QRNN of window 1 has z = σ(W_f x), v = tanh(W_z x); the " +
            "plain minGRU z = σ(W_z x), v = W_h x; the log-space minGRU v = g(W_h x). So minGRU without g is f-pooling without tanh, and neither published model is the other."));

        void Row(string row, string metric, Func<Differences, double> value, Func<double, bool> holds, string claim)
        {
            var ours = found.Select(value).ToList();
            context.Report(new RecipeRow(row, metric, ours.All(holds) ? RecipeVerdict.Reproduced : RecipeVerdict.NotReproduced,
                $"Claimed on every seed: {claim}. Seeds: {string.Join(", ", ours.Select(o => o.ToString("0.0e+0", CultureInfo.InvariantCulture)))}.")
            { Ours = ours });
        }
    }

    private static Differences Compare(int seed)
    {
        using var scope = NewDisposeScope();
        manual_seed(seed);
        const int batch = 3, length = 40, dim = 24;
        var x = randn(batch, length, dim, dtype: ScalarType.Float64);
        var (valueWeight, gateWeight, cotangent) = (randn(dim, dim, dtype: ScalarType.Float64), randn(dim, dim, dtype: ScalarType.Float64), randn(batch, length, dim, dtype: ScalarType.Float64));

        double Largest(ScalarType dtype, string kernels, Func<Tensor, Tensor, KernelChoice, Tensor> qrnn, string activation) =>
            Results(dtype, kernels, (value, gate, choice) => MinGruOp.Instance.Invoke(
                    new NamedTensors { ["hidden"] = value, ["gate"] = gate }, new OpOptions(new JsonObject { ["activation"] = activation }), choice).Outputs["h"])
                .Zip(Results(dtype, kernels, qrnn)).Max(pair => (pair.First - pair.Second).abs().max().to(ScalarType.Float64).item<double>()
                    / Math.Max(1, pair.Second.abs().max().to(ScalarType.Float64).item<double>()));

        // Output and gradients of both weights.
        IEnumerable<Tensor> Results(ScalarType dtype, string kernels, Func<Tensor, Tensor, KernelChoice, Tensor> layer)
        {
            var (w, v) = (valueWeight.to(dtype).detach().clone().requires_grad_(), gateWeight.to(dtype).detach().clone().requires_grad_());
            var input = x.to(dtype);
            var h = layer(nn.functional.linear(input, w), nn.functional.linear(input, v), KernelChoice.Parse(kernels));
            Gradients.Backward((h * cotangent.to(dtype)).sum());
            return [h.detach(), w.grad!, v.grad!];
        }

        static Tensor WithoutTanh(Tensor value, Tensor gate, KernelChoice kernels) =>
            ForgetMultOp.Apply(gate.sigmoid().transpose(0, 1), value.transpose(0, 1), null, kernels).transpose(0, 1);

        static Tensor Published(Tensor value, Tensor gate, KernelChoice kernels) =>
            QrnnPoolOp.Apply(value.transpose(0, 1), gate.transpose(0, 1), null, null, kernels).H.transpose(0, 1);

        return new Differences(
            Largest(ScalarType.Float64, KernelChoice.Reference, WithoutTanh, ActivationOption.Identity),
            Largest(ScalarType.Float32, KernelChoice.Cpu, WithoutTanh, ActivationOption.Identity),
            Largest(ScalarType.Float64, KernelChoice.Reference, Published, ActivationOption.Identity),
            Largest(ScalarType.Float64, KernelChoice.Reference, WithoutTanh, ActivationOption.Positive));
    }

    /// <param name="Exact">In float64 by the references.</param>
    /// <param name="Single">In float32 by the kernels.</param>
    /// <param name="WithTanh">The QRNN as published.</param>
    /// <param name="WithG">minGRU in its log-space form.</param>
    private sealed record Differences(double Exact, double Single, double WithTanh, double WithG);
}
