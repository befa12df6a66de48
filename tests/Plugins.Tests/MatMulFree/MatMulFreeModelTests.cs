using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Kernels;
using Zoo.MatMulFree;
using static TorchSharp.torch;

namespace Zoo.Tests.MatMulFree;

public sealed class MatMulFreeModelTests
{
    private static readonly IModelArchitecture Architecture = new MatMulFreeArchitecture();
    private static readonly TokenModelCheck Check = new(Architecture, "MatMulFree");

    [Test]
    public void Logits_RecordedCase_AreTheOriginals([Values("tiny", "heads")] string name, [Values("reference", "cpu")] string kernels) =>
        Check.RequireRecorded($"matmulfree-{name}", kernels);

    // What the original's own cases leave out, computed from its definition number by number in float64, gradients by a tape over those numbers.
    [Test]
    public void Logits_CaseByDefinition_AreThoseOfTheOriginalsEquations(
        [Values("tied", "expand", "onelayer", "pad", "padtied")] string name, [Values("reference", "cpu")] string kernels) =>
        Check.RequireRecorded($"matmulfree-{name}", kernels);

    // Of L blocks, d wide and I inside: L (4 d² + 3 d I + 8 d + I) and the bounds' L d; embedding and head; the last norm and the head's.
    [TestCase("370m", 374_108_160)]
    [TestCase("1.3b", 1_364_779_008)]
    [TestCase("2.7b", 2_702_357_504)]
    public void ParameterCount_PublishedSize_IsThatOfItsShapes(string preset, long expected) => Assert.That(Check.CountParameters(preset), Is.EqualTo(expected));

    [Test]
    public void Initialisation_Small_IsTheOriginals()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        using var model = Check.Build(Architecture.Presets["small"], "cpu");
        var parameters = model.TrainableParameters().ToDictionary(p => p.Name, p => p.Parameter.detach());
        Assert.That(parameters["model.embeddings.weight"].std().item<float>(), Is.EqualTo(0.02).Within(0.0005));
        Assert.That(parameters["lm_head.weight"].std().item<float>(), Is.EqualTo(0.02).Within(0.0005));
        Assert.That(parameters["model.layers.1.mlp.gate_proj.weight"].std().item<float>(), Is.EqualTo(0.02).Within(0.0005));
        Assert.That(parameters["model.layers.1.mlp.down_proj.weight"].std().item<float>(), Is.EqualTo(0.02 / Math.Sqrt(8)).Within(0.0002));
        Assert.That(parameters["model.layers.1.mlp.gate_proj.weight"].shape, Is.EqualTo(new long[] { 1024, 128 }), "two halves of 512: 341 rounded up to 256s");
        foreach (var projection in new[] { "i_proj", "f_proj", "g_proj", "o_proj" })
        {
            var bound = Math.Pow(2, -2.5) * Math.Sqrt(6.0 / 256);
            var largest = parameters[$"model.layers.1.attn.{projection}.weight"].abs().max().item<float>();
            Assert.That(largest, Is.LessThanOrEqualTo(bound + 1e-7).And.GreaterThan(0.99 * bound));
        }
        Assert.That(parameters["model.lower_bounds"].eq(0).all().item<bool>(), Is.True);
        foreach (var (name, norm) in parameters.Where(p => p.Value.dim() == 1))
            Assert.That(norm.eq(1).all().item<bool>(), Is.True, name);
        Assert.That(parameters.Keys, Has.Count.EqualTo(4 * 15 + 5));
    }

    [Test]
    public void Step_AnyForm_EqualsTheWholeSequence(
        [Values("none", "shared", "apart")] string conv, [Values] bool ternaryHead, [Values] bool tied, [Values("cpu", "reference")] string kernels)
    {
        manual_seed(2);
        var config = Architecture.ReadConfig("tiny", new JsonObject
        {
            ["use_short_conv"] = conv != "none",
            ["share_conv_kernel"] = conv == "shared",
            ["ternary_head"] = ternaryHead,
            ["tie_word_embeddings"] = tied,
            ["expand_ratio"] = 2,
        });
        using var model = Check.Build(config, kernels);
        // The same integers in either form on these inputs, so only float32 rounding remains. Measured: 2e-6.
        TokenModelCheck.RequireStepsEqualWhole(model, length: 40, first: 23, tolerance: 1e-5);
    }

    [Test]
    public void TiedHead_OneTensor_IsTrainedOnceAndSavedUnderBothNames([Values] bool ternaryHead)
    {
        using var scope = NewDisposeScope();
        var config = Architecture.ReadConfig("tiny", new JsonObject { ["tie_word_embeddings"] = true, ["ternary_head"] = ternaryHead });
        using var model = Check.Build(config, "cpu");
        Assert.That(model.TrainableParameters().Count(p => p.Parameter.shape.SequenceEqual([64, 32])), Is.EqualTo(1));
        var saved = StateDict.Save(model, withTiedKeys: true);
        Assert.That(saved["lm_head.weight"].Equals(saved["model.embeddings.weight"]), Is.True);
        Assert.That(saved.ContainsKey("lm_head.norm.weight"), Is.EqualTo(ternaryHead));
        Gradients.Backward(model.HeadLoss(model.Hidden(randint(64, [1, 5], int64)).flatten(0, 1), randint(64, [5], int64)));
        var unused = model.TrainableParameters().Single(p => p.Name == "model.embeddings.weight").Parameter.grad!.eq(0).all(1).any();
        Assert.That(unused.item<bool>(), Is.False, "every row has a gradient: the head's");
    }

    [Test]
    public void ParameterGroups_Any_SpareNormsAndBoundsWeightDecay()
    {
        using var scope = NewDisposeScope();
        using var model = Check.Build(Architecture.Presets["tiny"], "cpu");
        var spared = model.ParameterGroups().Single(g => g.WeightDecay == 0).Names;
        Assert.That(spared, Does.Contain("model.lower_bounds").And.Contain("model.layers.0.attn.g_norm.weight").And.Contain("lm_head.norm.weight"));
        Assert.That(spared, Has.None.Matches<string?>(n => n!.EndsWith("proj.weight", StringComparison.Ordinal) || n.Contains("embeddings", StringComparison.Ordinal)));
    }

    [TestCase("""{"hidden_size":0}""", "'hidden_size' is 0; it must be from 1 to 16777216.")]
    [TestCase("""{"num_hidden_layers":1000000000}""", "'num_hidden_layers' is 1000000000; it must be from 1 to 65536.")]
    [TestCase("""{"intermediate_size":2147483647}""", "'intermediate_size' is 2147483647; it must be from 1 to 16777216.")]
    [TestCase("""{"num_heads":3}""", "'hidden_size' is 32 and 'num_heads' is 3; the first must be a multiple of the second.")]
    [TestCase("""{"hidden_act":"gelu"}""", "'hidden_act' is \"gelu\"; it must be \"swish\".")]
    [TestCase("""{"hidden_sice":8}""", "Did you mean 'hidden_size'?")]
    [TestCase("""{"attn_mode":"chunk"}""", "'attn_mode' is \"chunk\"; it must be \"fused_recurrent\".")]
    [TestCase("""{"expand_ratio":0}""", "'expand_ratio' is 0; with a 'hidden_size' of 32 there must be 1 to 16777216 channels.")]
    [TestCase("""{"expand_ratio":1.5,"num_heads":32}""", "'expand_ratio' is 1.5: a mixer of 48 channels; they must be a multiple of 'num_heads', 32.")]
    [TestCase("""{"hidden_ratio":0.02}""", "'hidden_ratio' is 0.02; with a 'hidden_size' of 32 there must be 1 to 16777216 channels.")]
    [TestCase("""{"pad_token_id":64}""", "'pad_token_id' is 64; it must be null, or an id of the 64.")]
    public void ReadConfig_Wrong_SaysWhat(string json, string sentence) =>
        Assert.That(() => Architecture.ReadConfig("tiny", JsonNode.Parse(json)!.AsObject()), Throws.TypeOf<ConfigException>().With.Message.Contains(sentence));

    [TestCase(128, 512), TestCase(1024, 2816), TestCase(2048, 5632), TestCase(2560, 6912)]
    public void IntermediateDim_NotGiven_IsTwoThirdsRoundedUp(int modelDim, int expected) =>
        Assert.That(new MatMulFreeConfig { ModelDim = modelDim }.IntermediateDim, Is.EqualTo(expected));

    // int(hidden_size * ratio * 2 / 3) in Python, up to a multiple of 256.
    [TestCase(1000, 2.5, 1792), TestCase(960, 0.4, 256), TestCase(961, 0.4, 256), TestCase(963, 0.4, 256), TestCase(965, 0.4, 512)]
    public void IntermediateDim_BrokenRatio_IsThatOfTheOriginal(int modelDim, double ratio, int expected) =>
        Assert.That(new MatMulFreeConfig { ModelDim = modelDim, HiddenRatio = ratio }.IntermediateDim, Is.EqualTo(expected));

    [TestCase(1, 2, 32, 64), TestCase(3, 2, 64, 64), TestCase(2, 0.75, 24, 24)]
    public void ExpandRatio_AnyLayers_GivesTheOriginalsShapes(int layers, double ratio, int bounds, int inner)
    {
        using var scope = NewDisposeScope();
        var config = Architecture.ReadConfig("tiny", new JsonObject { ["num_hidden_layers"] = layers, ["expand_ratio"] = ratio });
        using var model = Check.Build(config, "cpu");
        var shapes = model.TrainableParameters().ToDictionary(p => p.Name, p => p.Parameter.shape);
        Assert.That(shapes["model.lower_bounds"], Is.EqualTo(new long[] { layers, bounds }), "the original's have hidden_size, which nothing reads with one layer");
        Assert.That(shapes["model.layers.0.attn.i_proj.weight"], Is.EqualTo(new long[] { inner, 32 }));
        Assert.That(shapes["model.layers.0.attn.o_proj.weight"], Is.EqualTo(new long[] { 32, inner }));
        TokenModelCheck.RequireStepsEqualWhole(model, length: 9, first: 4, tolerance: 1e-5);
    }

    [TestCase(5, false), TestCase(-59, false), TestCase(5, true)]
    public void PaddingId_Set_LeavesItsEmbeddingUntrained(int id, bool tied)
    {
        using var scope = NewDisposeScope();
        using var model = Check.Build(Config(id), "cpu");
        using var other = Check.Build(Config(null), "cpu");
        var initial = model.state_dict()["model.embeddings.weight"];
        Assert.That(initial[5].eq(0).all().item<bool>() && initial[4].ne(0).all().item<bool>(), Is.True, "the padding's row starts at zero, and no other");
        StateDict.Load(other, StateDict.Save(model, withTiedKeys: true), "the other");
        var ids = tensor(new long[] { 5, 4, 7, 5, 9 }, [1, 5]);
        var (mine, others) = (Gradient(model), Gradient(other));
        Assert.That(others[5].ne(0).any().item<bool>(), Is.True);
        Assert.That(mine[4].equal(others[4]).all().item<bool>() && mine[7].equal(others[7]).all().item<bool>(), Is.True);
        if (!tied)
            Assert.That(mine[5].eq(0).all().item<bool>(), Is.True);
        else
            Assert.That(mine[5].ne(0).any().item<bool>() && mine[5].ne(others[5]).any().item<bool>(), Is.True, "the head's part remains");

        ModelConfig Config(int? padding) => Architecture.ReadConfig("tiny", new JsonObject { ["pad_token_id"] = padding, ["tie_word_embeddings"] = tied });

        Tensor Gradient(TokenModel of)
        {
            var logits = of.Head(of.Hidden(ids));
            Gradients.Backward((logits + logits.square()).sum());
            return of.TrainableParameters().Single(p => p.Name == "model.embeddings.weight").Parameter.grad!;
        }
    }

    [TestCase("tiny", "{}"), TestCase("small", "{}"), TestCase("tiny", "{\"ternary_head\":false,\"use_lower_bound\":false,\"expand_ratio\":2}")]
    [TestCase("tiny", "{\"use_short_conv\":true}"), TestCase("tiny", "{\"use_short_conv\":true,\"share_conv_kernel\":false}"), TestCase("tiny", "{\"tie_word_embeddings\":true}")]
    public void ModelMemory_AnyConfig_CountsTheModelsNumbers(string preset, string json)
    {
        using var scope = NewDisposeScope();
        var config = (MatMulFreeConfig)Architecture.ReadConfig(preset, JsonNode.Parse(json)!.AsObject());
        using var model = Check.Build(config, "cpu");
        var memory = new ModelMemory(config);
        var scales = config.LayerCount * 6 + (config.TernaryHead ? 1 : 0);     // of the ternary matrices; no parameters
        var shared = config is { TieEmbeddings: true, TernaryHead: true } ? config.VocabSize * config.ModelDim : 0;     // packed, the head has codes of its own
        Assert.That(memory.Ternary + memory.Tables + memory.Others - scales - shared, Is.EqualTo(model.parameters().Sum(p => p.numel())));
        Assert.That(memory.Packed, Is.LessThan(memory.Half).And.GreaterThan(2 * memory.Tables));
    }

    [Test]
    public void MemoryNeeds_PublishedSize_StandBesideATransformers()
    {
        var needs = Architecture.MemoryNeeds(Architecture.Presets["1.3b"]);
        Assert.That(needs.Select(n => n.Use), Is.EqualTo(["training", "inference"]));
        Assert.That(needs[1].Bytes, Is.EqualTo(0.458e9).Within(1).Percent);
        Assert.That(needs[1].TransformerBytes, Is.EqualTo(3.132e9).Within(1).Percent);
    }

    [Test]
    public void FindUpstream_UnusedConvolution_IsNotNeeded()
    {
        Assert.That(Architecture.FindUpstream("model.layers.0.attn.q_conv1d.weight"), Is.Null);
        Assert.That(Architecture.FindUpstream("model.layers.0.attn.i_conv1d.weight")!.Key, Is.EqualTo("model.layers.0.attn.i_conv1d.weight"));
    }
}
