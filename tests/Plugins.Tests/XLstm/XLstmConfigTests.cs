using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Kernels;
using Zoo.XLstm;
using Zoo.XLstm.Model;
using static TorchSharp.torch;

namespace Zoo.Tests.XLstm;

/// <summary>What configs and names of the original project mean; values by its rules, reckoned by hand.</summary>
public sealed class XLstmConfigTests
{
    private const string OneOfEach = """{"mlstm_block": {}, "slstm_block": {}, "num_blocks": 2, "slstm_at": [1], "embedding_dim": 32, "vocab_size": 16}""";

    /// <summary>32 · 2.6667 = 85.33, and 85.33 + 63 has room for two of 64; 64.0008 + 63 for one, though it is above 64.</summary>
    [TestCase(32, 64, 128)]
    [TestCase(24, 64, 64)]
    [TestCase(48, 64, 128)]
    [TestCase(96, 64, 256)]
    [TestCase(4096, 64, 10944)]
    [TestCase(12, 1, 32)]
    [TestCase(10, 8, 32)]
    public void LargeFeedForward_Width_IsRoundedUpAsUpstreamDoes(int modelDim, int multiple, int expected)
    {
        var config = new XLstmLargeConfig { ModelDim = modelDim, FeedForwardMultiple = multiple };
        Assert.That(config.FeedForwardDim, Is.EqualTo(expected));
    }

    [TestCase("[-1]", "1")]
    [TestCase("[0, -1]", "0 1")]
    [TestCase("[]", "")]
    [TestCase("\"all\"", "0 1")]
    public void SlstmAt_Places_CountFromEitherEnd(string places, string expected)
    {
        var config = Read(new XLstmArchitecture(), OneOfEach, ("slstm_at", places));
        var found = Enumerable.Range(0, 2).Where(((XLstmConfig)config).IsSlstm);
        Assert.That(string.Join(' ', found), Is.EqualTo(expected));
    }

    [TestCase("num_blocks", "1000000000", "'num_blocks' is 1000000000; it must be from 1 to 65536.")]
    [TestCase("mlstm_block", """{"mlstm": {"proj_factor": "Infinity"}}""", "'proj_factor' is Infinity; it must be above 0 and below 1024.")]
    [TestCase("mlstm_block", """{"mlstm": {"conv1d_kernel_size": 2147483647}}""", "'conv1d_kernel_size' is 2147483647; it must be from 1 to 16777216.")]
    [TestCase("slstm_block", """{"feedforward": {"round_proj_up_dim_up": false}}""",
        "The feed-forward part of sLSTM blocks is 0 wide; 'proj_factor' 1.3 rounded to multiples of 64 leaves nothing.")]
    public void ReadConfig_SizeThatNoModelHas_IsASentence(string key, string value, string expected) =>
        Assert.That(() => Read(new XLstmArchitecture(), OneOfEach, (key, value)), Throws.TypeOf<ConfigException>().With.Message.Contains(expected));

    [TestCase("norm_eps", "-1", "'norm_eps' is -1; it must be at least 0.")]
    [TestCase("eps", "\"NaN\"", "'eps' is NaN; it must be at least 0.")]
    [TestCase("qk_dim_factor", "1000", "'qk_dim_factor' is 1000; it must be above 0 and below 1024, and the layer at most 16777216 wide.")]
    public void ReadLargeConfig_ValueOutOfRange_IsASentence(string key, string value, string expected) =>
        Assert.That(() => Read(new XLstmLargeArchitecture(), """{"embedding_dim": 32768}""", (key, value)), Throws.TypeOf<ConfigException>().With.Message.Contains(expected));

    [TestCase("5")]
    [TestCase("\"some\"")]
    [TestCase("[1.5]")]
    [TestCase("null")]
    public void SlstmAt_OfAnotherKind_IsASentence(string places) =>
        Assert.That(() => Read(new XLstmArchitecture(), OneOfEach, ("slstm_at", places)),
            Throws.TypeOf<ConfigException>().With.Message.Contains($"'slstm_at' is {places}; it must be a list of block indices, or \"all\"."));

    [Test]
    public void SlstmAt_BeyondTheBlocks_IsASentence() =>
        Assert.That(() => Read(new XLstmArchitecture(), OneOfEach, ("slstm_at", "[-3]")),
            Throws.TypeOf<ConfigException>().With.Message.Contains("'slstm_at' has block -3; blocks are 0 to 1, or -2 to -1 from the end."));

    /// <summary>Of 64 channels, blocks of at least 24 make 2 of 32; of at least 3, 21, which do not share 64.</summary>
    [Test]
    public void QkvProjBlocksize_ThatDoesNotDivide_GivesWiderBlocks()
    {
        using var scope = NewDisposeScope();
        var model = Build(new XLstmArchitecture(), OneOfEach, ("mlstm_block", """{"mlstm": {"qkv_proj_blocksize": 24}}"""));
        Assert.That(StateDict.Save(model)["xlstm_block_stack.blocks.0.xlstm.q_proj.weight"].shape, Is.EqualTo(new long[] { 2, 32, 32 }));
        Assert.That(((TokenModel)model).Hidden(zeros([1, 3], int64)).isfinite().all().item<bool>(), Is.True);
        Assert.That(() => Read(new XLstmArchitecture(), OneOfEach, ("mlstm_block", """{"mlstm": {"qkv_proj_blocksize": 3}}""")),
            Throws.TypeOf<ConfigException>().With.Message.Contains("the 21 blocks for which 'qkv_proj_blocksize' 3 has room must share it evenly."));
    }

    [Test]
    public void ParameterGroups_WeightDecay_GoesByNamesAsUpstream([Values] bool decaysEmbedding)
    {
        using var scope = NewDisposeScope();
        var model = Build(new XLstmArchitecture(), OneOfEach, ("weight_decay_on_embedding", decaysEmbedding ? "true" : "false"));
        var group = model.ParameterGroups().Single();
        Assert.That(group.WeightDecay, Is.Zero);
        Assert.That(group.Names, Has.Some.EndsWith("_recurrent_kernel_").And.Some.EndsWith("_bias_").And.Some.EndsWith("learnable_skip")
            .And.Some.EndsWith("group_norm.weight").And.Some.EndsWith("conv1d.conv.bias"));
        Assert.That(group.Names, Has.None.EndsWith("conv1d.conv.weight").And.None.EndsWith("igate.weight").And.None.EndsWith("lm_head.weight"));
        Assert.That(group.Names.Contains("token_embedding.weight"), Is.EqualTo(!decaysEmbedding));
    }

    /// <summary>What is dropped is y, before the norm: whatever is dropped, each head comes out with mean 0 and variance 1.</summary>
    [Test]
    public void Slstm_Dropout_ComesBeforeTheNorm()
    {
        using var scope = NewDisposeScope();
        var config = (XLstmConfig)Read(new XLstmArchitecture(), OneOfEach);
        using var layer = new SlstmLayer(config, 1, new BuildContext { Kernels = KernelChoice.Auto });
        var y = layer.Forward(randn(2, 5, 32), null, x => x * (rand_like(x) < 0.5f).to(float32)).view(2, 5, 4, 8);
        Assert.That(y.mean([3]).abs().max().item<float>(), Is.LessThan(1e-4));
        Assert.That(y.square().mean([3]).median().item<float>(), Is.EqualTo(1).Within(0.05));
    }

    [Test]
    public void Large_HuggingFacesConfig_IsTheOriginalsInOtherWords()
    {
        // The published 7B config's keys, in small.
        const string published = """
            {
                "add_embedding_dropout": false, "add_forward_backend_padding": false, "add_out_norm": true, "add_post_blocks_norm": true, "add_post_norm": false,
                "add_qk_norm": false, "architectures": ["xLSTMForCausalLM"], "autocast_kernel_dtype": "bfloat16", "bos_token_id": 0, "cell_norm_eps": 1e-06,
                "chunk_size": 64, "chunkwise_kernel": "chunkwise--triton_xl_chunk", "embedding_dim": 64, "eos_token_id": 2, "eps": 1e-06,
                "ffn_proj_factor": 2.667, "ffn_round_up_to_multiple_of": 64, "force_bos_token_insert": true, "gate_soft_cap": 15.0, "head_dim": 16,
                "igate_bias_init_range": -10.0, "inference_state_dtype": "float32", "mlstm_round_up_to_multiple_of": 64, "mode": "inference",
                "model_type": "xlstm", "norm_eps": 1e-06, "norm_reduction_force_float32": true, "num_blocks": 3, "num_heads": 4,
                "output_logit_soft_cap": 30.0, "pad_token_id": 1, "qk_dim_factor": 0.5, "return_last_states": true, "sequence_kernel": "native_sequence__triton",
                "step_kernel": "triton", "tie_word_embeddings": false, "torch_dtype": "float32", "transformers_version": "4.48.0.dev0", "use_bias": false,
                "use_cache": true, "v_dim_factor": 1.0, "vocab_size": 80, "weight_mode": "single"
            }
            """;
        var config = (XLstmLargeConfig)Read(new XLstmLargeArchitecture(), published);
        Assert.That(config, Is.EqualTo(new XLstmLargeConfig { ModelDim = 64, BlockCount = 3, VocabSize = 80, FeedForwardFactor = 2.667 }));
        var other = (XLstmLargeConfig)Read(new XLstmLargeArchitecture(), """{"hidden_size": 64, "num_hidden_layers": 3, "embedding_dim": null, "num_heads": 4, "vocab_size": 80}""");
        Assert.That(other, Is.EqualTo(config));
        Assert.That(() => Read(new XLstmLargeArchitecture(), published, ("add_qk_norm", "true")),
            Throws.TypeOf<UserException>().With.Message.Contains("'add_qk_norm' is true"));
    }

    [TestCase("backbone.embeddings.weight", "embedding.weight")]
    [TestCase("embedding.weight", "embedding.weight")]
    [TestCase("backbone.blocks.3.mlstm_layer.query.weight", "backbone.blocks.3.mlstm_layer.q.weight")]
    [TestCase("backbone.blocks.3.mlstm_layer.v.weight", "backbone.blocks.3.mlstm_layer.v.weight")]
    [TestCase("backbone.out_norm.weight", "backbone.out_norm.weight")]
    public void Large_FindUpstream_AnyNaming_IsTheModelsKey(string name, string key) =>
        Assert.That(new XLstmLargeArchitecture().FindUpstream(name)!.Key, Is.EqualTo(key));

    private static ModelConfig Read(IModelArchitecture architecture, string config, params (string Key, string Value)[] changes)
    {
        var values = JsonNode.Parse(config)!.AsObject();
        foreach (var (key, value) in changes)
            values[key] = JsonNode.Parse(value);
        return architecture.ReadUpstreamConfig("small", values);
    }

    private static Architectures.Model Build(IModelArchitecture architecture, string config, params (string Key, string Value)[] changes)
    {
        manual_seed(1);
        var model = architecture.CreateModel(Read(architecture, config, changes), new BuildContext { Kernels = KernelChoice.Auto });
        model.eval();
        return model;
    }
}
