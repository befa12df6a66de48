using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.XLstm;
using static TorchSharp.torch;

namespace Zoo.Tests.XLstm;

/// <summary>Whole models with the options that no recorded case has, against <see cref="PlainXLstm"/>.</summary>
public sealed class XLstmModelTests
{
    // Measured: 2.9e-5 and 1.1e-4, the reference and the kernels alike: outputs are divided by |n q|, which may come near 0.
    private const double LogitTolerance = 6e-5;
    private const double GradientTolerance = 2e-4;

    [Test]
    public void LogitsAndGradients_AnyOptions_AreThoseOfThePaper(
        [Values] bool other, [Values(null, "gelu", "relu", "relu^2", "sigmoid", "swish", "selu")] string? activation, [Values("reference", "cpu")] string kernels)
    {
        var values = new JsonObject
        {
            ["vocab_size"] = 29,
            ["embedding_dim"] = 24,
            ["num_blocks"] = 3,
            ["slstm_at"] = other ? new JsonArray(0, -1) : new JsonArray(1),
            ["bias"] = other,
            ["tie_weights"] = other,
            ["add_post_blocks_norm"] = !other,
            ["mlstm_block"] = new JsonObject
            {
                ["mlstm"] = new JsonObject
                {
                    ["conv1d_kernel_size"] = other ? 1 : 5,
                    ["num_heads"] = other ? 3 : 2,
                    ["qkv_proj_blocksize"] = other ? 8 : 3,
                    ["proj_factor"] = 1.5,
                    ["round_proj_up_to_multiple_of"] = 12,
                    ["round_proj_up_dim_up"] = !other,
                },
            },
            ["slstm_block"] = new JsonObject
            {
                ["slstm"] = new JsonObject
                {
                    ["conv1d_kernel_size"] = other ? 0 : 3,
                    ["num_heads"] = other ? 2 : 3,
                    ["group_norm_weight"] = !other,
                    ["bias_init"] = other ? "standard" : "small_init",
                    ["recurrent_weight_init"] = "standard",
                },
                ["feedforward"] = activation is null ? null : new JsonObject
                {
                    ["act_fn"] = activation,
                    ["bias"] = other,
                    ["round_proj_up_to_multiple_of"] = 10,
                },
            },
        };
        Require(new XLstmArchitecture(), values, kernels, (plain, config, ids) => plain.Logits((XLstmConfig)config, ids));
    }

    [Test]
    public void LargeLogitsAndGradients_AnyOptions_AreThoseOfThePaper([Values] bool biases, [Values] bool fused, [Values] bool capped, [Values("reference", "cpu")] string kernels)
    {
        var values = new JsonObject
        {
            ["vocab_size"] = 29,
            ["embedding_dim"] = 24,
            ["num_blocks"] = 2,
            ["num_heads"] = 3,
            ["use_bias"] = biases,
            ["weight_mode"] = fused ? "fused" : "single",
            ["add_out_norm"] = capped,
            ["gate_soft_cap"] = capped ? 2.0 : null,
            ["output_logit_soft_cap"] = capped ? 0.5 : null,
            ["qk_dim_factor"] = 0.75,
            ["v_dim_factor"] = 1.25,
            ["ffn_round_up_to_multiple_of"] = 10,
        };
        Require(new XLstmLargeArchitecture(), values, kernels, (plain, config, ids) => plain.Logits((XLstmLargeConfig)config, ids));
    }

    private static void Require(IModelArchitecture architecture, JsonObject values, string kernels, Func<PlainXLstm, ModelConfig, Tensor, Tensor> logitsOf)
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        var config = architecture.ReadUpstreamConfig("small", values);
        using var model = (TokenModel)architecture.CreateModel(config, new BuildContext { Kernels = KernelChoice.Parse(kernels) });
        model.eval();
        var parameters = model.TrainableParameters().ToDictionary(p => p.Name, p => p.Parameter);
        using (no_grad())
        {
            foreach (var parameter in parameters.Values)
                parameter.add_(randn_like(parameter) * 0.2f);           // off zeros and ones
        }
        var ids = randint(29, [2, 37], int64);
        var copies = parameters.ToDictionary(p => p.Key, p => p.Value.detach().to(ScalarType.Float64).requires_grad_());
        var expected = logitsOf(new PlainXLstm(copies), config, ids);
        var logits = model.RunCase(new NamedTensors { ["ids"] = ids })["logits"];
        TensorAssert.Close(logits, expected, LogitTolerance, 0, "logits");
        TokenModelCheck.RequireGradients(logits, expected, parameters, copies, GradientTolerance);

        using var noGradient = no_grad();
        using var state = model.NewState(2)!;
        var steps = stack(ids.unbind(1).Select(column => model.Step(column, state)).ToArray(), dim: 1);
        TensorAssert.Close(model.Head(steps), expected, LogitTolerance, 0, "logits of the step form");
    }
}
