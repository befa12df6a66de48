using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Mamba;
using static TorchSharp.torch;

namespace Zoo.Tests.Mamba;

public sealed class MambaModelTests
{
    private static readonly IModelArchitecture Architecture = new MambaArchitecture();
    private const double LogitTolerance = 2e-6, GradientTolerance = 2e-6;   // the first: half is not met; the second: 1.1e-6 with vectors of 512 bits made of narrower ones

    private static readonly TokenModelCheck Check = new(Architecture, "Mamba");

    [Test]
    public void Logits_RecordedCase_AreTheOriginals([Values("tiny", "untied")] string name, [Values("reference", "cpu")] string kernels) =>
        Check.RequireRecorded($"mamba-{name}", kernels);

    // The sizes of the published checkpoints, the tied head counted once.
    [TestCase("130m", 129_135_360)]
    [TestCase("370m", 371_516_416)]
    [TestCase("790m", 793_204_224)]
    [TestCase("1.4b", 1_372_178_432)]
    [TestCase("2.8b", 2_768_345_600)]
    public void ParameterCount_PublishedPreset_IsThePublishedOne(string preset, long expected) => Assert.That(Check.CountParameters(preset), Is.EqualTo(expected));

    [Test]
    public void Initialisation_Small_IsTheOriginals()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        using var model = Check.Build(Architecture.Presets["small"], "cpu");
        var parameters = model.TrainableParameters().ToDictionary(p => p.Name, p => p.Parameter.detach());
        Tensor Of(string name) => parameters[$"backbone.layers.1.mixer.{name}"];
        Assert.That(Of("A_log").exp().allclose(arange(1, 17).to(ScalarType.Float32).expand(256, 16), 1e-6), Is.True);
        Assert.That(Of("D").eq(1).all().item<bool>(), Is.True);
        var steps = nn.functional.softplus(Of("dt_proj.bias"));
        Assert.That(steps.min().item<float>(), Is.GreaterThanOrEqualTo(0.99e-3).And.LessThan(3e-3));
        Assert.That(steps.max().item<float>(), Is.LessThanOrEqualTo(0.101).And.GreaterThan(0.05));
        Assert.That(Of("dt_proj.weight").abs().max().item<float>(), Is.LessThanOrEqualTo(Math.Pow(8, -0.5)).And.GreaterThan(0.3));
        Assert.That(Of("in_proj.weight").abs().max().item<float>(), Is.LessThanOrEqualTo(Math.Pow(128, -0.5)).And.GreaterThan(0.08));
        Assert.That(Of("out_proj.weight").abs().max().item<float>(), Is.LessThanOrEqualTo(Math.Pow(256, -0.5) / 2 + 1e-6).And.GreaterThan(0.03));
        Assert.That(Of("conv1d.weight").abs().max().item<float>(), Is.LessThanOrEqualTo(0.5).And.GreaterThan(0.4));
        Assert.That(parameters["backbone.embedding.weight"].std().item<float>(), Is.EqualTo(0.02).Within(0.001));
        Assert.That(parameters.Keys, Has.Count.EqualTo(4 * 10 + 2));
    }

    [Test]
    public void Step_BetweenPiecesAndOnAClone_EqualsTheWholeSequence([Values("cpu", "reference")] string kernels)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        manual_seed(3);
        using var model = Check.Build(Architecture.Presets["tiny"], kernels);
        var ids = randint(0, model.VocabSize, [2, 12]);
        var expected = model.Hidden(ids);
        using var state = model.NewState(2)!;
        var actual = new List<Tensor> { Step(0, state), Piece(1, 4), Step(5, state), Step(6, state), Step(7, state), Piece(8, 2) };
        using var clone = state.Clone();
        actual.AddRange([Step(10, state), Step(11, state)]);
        // Measured: 1.2e-6.
        Assert.That((cat(actual, 1) - expected).abs().max().item<float>(), Is.LessThan(2.4e-6));
        Assert.That(cat([Step(10, clone), Step(11, clone)], 1).Equals(cat(actual.TakeLast(2).ToList(), 1)), Is.True, "the clone goes on as the original did");

        Tensor Step(int time, ModelState from) => model.Step(ids.select(1, time), from).unsqueeze(1);

        Tensor Piece(int first, int length) => model.Hidden(ids.narrow(1, first, length), state);
    }

    [Test]
    public void Step_AnyForm_EqualsTheWholeSequence([Values] bool rms, [Values] bool biases, [Values] bool selective, [Values("cpu", "reference")] string kernels)
    {
        manual_seed(2);
        var config = Architecture.ReadConfig("tiny", new JsonObject
        {
            ["rms_norm"] = rms,
            ["ssm_cfg"] = new JsonObject { ["bias"] = biases, ["conv_bias"] = !biases, ["selective"] = selective, ["d_state"] = 5 },
        });
        using var model = Check.Build(config, kernels);
        // Measured: 2.3e-7.
        TokenModelCheck.RequireStepsEqualWhole(model, length: 70, first: 33, tolerance: 5e-7);
    }

    [Test]
    public void LogitsAndGradients_AnyOptions_AreThoseOfThePaper([Values] bool rms, [Values] bool biases, [Values(1, 2, 5)] int width)
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        var config = (MambaConfig)Architecture.ReadUpstreamConfig("tiny", new JsonObject
        {
            ["d_model"] = 20,
            ["n_layer"] = 2,
            ["vocab_size"] = 29,
            ["rms_norm"] = rms,
            ["tie_embeddings"] = biases,
            ["pad_vocab_size_multiple"] = 8,
            ["ssm_cfg"] = new JsonObject
            {
                ["d_state"] = 5,
                ["d_conv"] = width,
                ["expand"] = 1.5,
                ["dt_rank"] = 3,
                ["bias"] = biases,
                ["conv_bias"] = !biases,
            },
        });
        using var model = Check.Build(config, "cpu");
        var parameters = model.TrainableParameters().ToDictionary(p => p.Name, p => p.Parameter);
        foreach (var (name, parameter) in parameters)
        {
            using var noGradient = no_grad();
            if (name.EndsWith("bias", StringComparison.Ordinal) || name.Contains("norm", StringComparison.Ordinal))
                parameter.add_(randn_like(parameter) * 0.3f);           // off zeros and ones
        }
        var ids = randint(29, [2, 37], int64);
        var copies = parameters.ToDictionary(p => p.Key, p => p.Value.detach().to(ScalarType.Float64).requires_grad_());
        var expected = new PlainMamba(copies, config).Logits(ids);
        Assert.That(expected.shape, Is.EqualTo((long[])[2, 37, 32]));
        var logits = model.RunCase(new NamedTensors { ["ids"] = ids })["logits"];
        TensorAssert.Close(logits, expected, LogitTolerance, 0, "logits");
        TokenModelCheck.RequireGradients(logits, expected, parameters, copies, GradientTolerance);
    }

    [Test]
    public void ParameterGroups_Any_SpareAAndDWeightDecay()
    {
        using var scope = NewDisposeScope();
        using var model = Check.Build(Architecture.Presets["tiny"], "cpu");
        var spared = model.ParameterGroups().Single(g => g.WeightDecay == 0).Names;
        Assert.That(spared, Does.Contain("backbone.layers.0.mixer.A_log").And.Contain("backbone.layers.0.mixer.D"));
        Assert.That(spared, Has.None.Matches<string?>(n => n!.Contains("proj.weight", StringComparison.Ordinal)));
        Assert.That(model.IsFloat32Island("backbone.layers.0.mixer.A_log"), Is.True);
    }

    [TestCase("""{"d_model":0}""", "'d_model' is 0; it must be from 1 to 16777216.")]
    [TestCase("""{"n_layer":1000000000}""", "'n_layer' is 1000000000; it must be from 1 to 65536.")]
    [TestCase("""{"vocab_size":2147483647}""", "'vocab_size' is 2147483647; it must be from 1 to 16777216.")]
    [TestCase("""{"ssm_cfg":{"d_state":2147483647}}""", "In ssm_cfg: 'd_state' is 2147483647; it must be from 1 to 16777216.")]
    [TestCase("""{"ssm_cfg":{"dt_rank":2147483647}}""", "In ssm_cfg: 'dt_rank' is 2147483647; it must be \"auto\" or a whole number from 1 to 16777216.")]
    [TestCase("""{"d_intermediate":64}""", "'d_intermediate' is 64; blocks with a feed-forward part are not here, so it must be 0.")]
    [TestCase("""{"attn_layer_idx":[1,3]}""", "'attn_layer_idx' is [1, 3]; blocks with attention are not here, so it must be empty.")]
    [TestCase("""{"ssm_cfg":{"layer":"Mamba2"}}""", "'layer' is \"Mamba2\"; this plugin has \"Mamba1\".")]
    [TestCase("""{"ssm_cfg":{"dt_rank":"many"}}""", "'dt_rank' is \"many\"; it must be \"auto\" or a whole number from 1 to 16777216.")]
    [TestCase("""{"ssm_cfg":{"dt_rank":0}}""", "'dt_rank' is 0; it must be \"auto\" or a whole number from 1 to 16777216.")]
    [TestCase("""{"ssm_cfg":{"dt_min":0.2}}""", "'dt_min' is 0.2 and 'dt_max' is 0.1")]
    [TestCase("""{"ssm_cfg":{"d_stat":8}}""", "Did you mean 'ssm_cfg.d_state'?")]
    [TestCase("""{"ssm_cfg":{"expand":0.01}}""", "'ssm_cfg.expand' is 0.01 and 'd_model' 32; their product, the channels of the mixer, must be at least 1")]
    [TestCase("""{"norm_epsilon":1e-6}""", "'norm_epsilon' is no key of it.")]
    public void ReadConfig_Wrong_SaysWhat(string json, string sentence) =>
        Assert.That(() => Architecture.ReadConfig("tiny", JsonNode.Parse(json)!.AsObject()), Throws.TypeOf<ConfigException>().With.Message.Contains(sentence));

    [TestCase("backbone.embeddings.weight", "backbone.embedding.weight", Description = "a -hf checkpoint")]
    [TestCase("embedding.weight", "backbone.embedding.weight", Description = "mamba-minimal")]
    [TestCase("layers.3.mixer.A_log", "backbone.layers.3.mixer.A_log", Description = "mamba-minimal")]
    [TestCase("norm_f.weight", "backbone.norm_f.weight", Description = "mamba-minimal")]
    [TestCase("backbone.layers.3.mixer.conv1d.bias", "backbone.layers.3.mixer.conv1d.bias")]
    [TestCase("lm_head.weight", "lm_head.weight")]
    [TestCase("layernorm.weight", "layernorm.weight", Description = "unknown: comes back to be reported")]
    public void FindUpstream_AnyNaming_IsTheModelsKey(string name, string key) =>
        Assert.That(new MambaArchitecture().FindUpstream(name)!.Key, Is.EqualTo(key));

    [Test]
    public void ReadUpstreamConfig_OfAnHfCheckpoint_IsTheOriginals()
    {
        var config = (MambaConfig)Architecture.ReadUpstreamConfig("small", JsonNode.Parse("""
            {"architectures":["MambaForCausalLM"],"bos_token_id":0,"conv_kernel":4,"d_inner":1536,"d_model":768,"eos_token_id":0,"expand":2,
             "fused_add_norm":true,"hidden_act":"silu","hidden_size":768,"initializer_range":0.1,"intermediate_size":1536,
             "layer_norm_epsilon":1e-05,"model_type":"mamba","n_layer":24,"num_hidden_layers":24,"pad_token_id":0,"pad_vocab_size_multiple":8,
             "rescale_prenorm_residual":false,"residual_in_fp32":true,"rms_norm":true,"ssm_cfg":{},"state_size":16,"time_step_floor":0.0001,
             "time_step_init_scheme":"random","time_step_max":0.1,"time_step_min":0.001,"time_step_rank":48,"time_step_scale":1.0,
             "torch_dtype":"float32","transformers_version":"4.39.0.dev0","use_bias":false,"use_cache":true,"use_conv_bias":true,"vocab_size":50280}
            """)!.AsObject());
        Assert.That((config.ModelDim, config.LayerCount, config.PaddedVocabSize, config.StepRank, config.TieEmbeddings), Is.EqualTo((768, 24, 50280, 48, true)));
        Assert.That(() => Architecture.ReadUpstreamConfig("small", JsonNode.Parse("""{"hidden_size":8,"surprise":1}""")!.AsObject()),
            Throws.TypeOf<ConfigException>().With.Message.Contains("'surprise'"));
        var unpadded = (MambaConfig)Architecture.ReadUpstreamConfig("small", JsonNode.Parse("""{"hidden_size":8,"vocab_size":61,"expand":1.5}""")!.AsObject());
        Assert.That((unpadded.PaddedVocabSize, unpadded.InnerDim), Is.EqualTo((61, 12)), "its tables have no rows that its config does not count");
    }

    [TestCase("""{"hidden_act":"gelu"}""", "The config's 'hidden_act' is \"gelu\"; Mamba here has \"silu\".")]
    [TestCase("""{"model_type":"falcon_mamba"}""", "The config's 'model_type' is \"falcon_mamba\"; this plugin has the blocks of \"mamba\" alone.")]
    [TestCase("""{"layer_norm_epsilon":1e-6}""", "The config's 'layer_norm_epsilon' is 1e-6; Mamba here has 1e-5.")]
    [TestCase("""{"layer_norm_epsilon":"small"}""", "The config's 'layer_norm_epsilon' is \"small\"; Mamba here has 1e-5.")]
    public void ReadUpstreamConfig_OfAnotherHfModel_IsRefused(string json, string sentence)
    {
        var values = JsonNode.Parse(json)!.AsObject();
        values["hidden_size"] = 8;
        Assert.That(() => Architecture.ReadUpstreamConfig("small", values), Throws.TypeOf<UserException>().With.Message.EqualTo(sentence));
    }

    [Test]
    public void ReadUpstreamConfig_NullsAndFractions_AreTheOriginals()
    {
        var config = (MambaConfig)Architecture.ReadUpstreamConfig("small", JsonNode.Parse(
            """{"d_model":20,"ssm_cfg":null,"attn_layer_idx":null,"attn_cfg":null,"fused_add_norm":true}""")!.AsObject());
        Assert.That((config.InnerDim, config.StepRank), Is.EqualTo((40, 2)));
        config = (MambaConfig)Architecture.ReadUpstreamConfig("small", JsonNode.Parse("""{"d_model":21,"ssm_cfg":{"expand":1.5,"layer":"Mamba1"}}""")!.AsObject());
        Assert.That(config.InnerDim, Is.EqualTo(31), "int(1.5 * 21)");
    }

    [Test]
    public void WriteUpstreamConfig_HasTheOriginalsKeysAlone([Values] bool selective)
    {
        var config = Architecture.ReadConfig("tiny", new JsonObject { ["ssm_cfg"] = new JsonObject { ["selective"] = selective } });
        var written = Architecture.WriteUpstreamConfig(config);
        Assert.That(written["ssm_cfg"]!.AsObject().ContainsKey("selective"), Is.EqualTo(!selective));
        Assert.That(written["ssm_cfg"]!["expand"]!.ToJsonString(), Is.EqualTo("2"));
        Assert.That(ConfigJson.Write(Architecture.ReadUpstreamConfig("tiny", written)).ToJsonString(), Is.EqualTo(ConfigJson.Write(config).ToJsonString()));
    }
}
