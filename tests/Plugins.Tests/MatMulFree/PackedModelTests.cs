using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.MatMulFree;
using Zoo.MatMulFree.Ops.BitLinear;
using Zoo.MatMulFree.Ops.PackedBitLinear;
using Zoo.MatMulFree.Ops.TernaryMatmul;
using static TorchSharp.torch;

namespace Zoo.Tests.MatMulFree;

public sealed class PackedModelTests
{
    private const int Vocabulary = 53;

    private static readonly IModelArchitecture Architecture = new MatMulFreeArchitecture();

    /// <summary>Sizes that no block divides; a head that is tied, in full precision, both; layers that the step in one call does not have.</summary>
    private static readonly string[] Configs =
    [
        "{}",
        """{"hidden_size":40,"intermediate_size":70,"num_hidden_layers":3}""",
        """{"hidden_size":130,"expand_ratio":2,"intermediate_size":300,"use_lower_bound":false}""",
        """{"tie_word_embeddings":true}""",
        """{"ternary_head":false}""",
        """{"ternary_head":false,"tie_word_embeddings":true}""",
        """{"use_short_conv":true}""",
    ];

    [Test]
    public void Logits_PackedFormOfAnyConfig_SameBits([ValueSource(nameof(Configs))] string config, [Values("auto", "reference")] string kernels)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var model = Build(config, kernels);
        using var packed = Build(config, kernels, packed: true, seed: 2);
        Randomise(model);
        StateDict.Load(packed, ((IPackedWeights)model).Pack(StateDict.Save(model)), "the packed form");
        RequireSameLogits(packed, model);
    }

    [Test]
    public void Build_PackedFromTheSameSeed_HasTheUnpackedModelsWeights([ValueSource(nameof(Configs))] string config)
    {
        using var scope = NewDisposeScope();
        using var model = Build(config, "auto");
        using var packed = Build(config, "auto", packed: true);
        var expected = ((IPackedWeights)model).Pack(StateDict.Save(model));
        var actual = StateDict.Save(packed);
        Assert.That(actual.Keys.Order(), Is.EqualTo(expected.Keys.Order()));
        foreach (var (key, tensor) in actual)
            Assert.That(tensor.equal(expected[key]).all().item<bool>(), Is.True, key);
    }

    /// <summary>A matrix of more than one piece, drawn piece by piece.</summary>
    [Test]
    public void Build_MatricesOfSeveralPieces_HaveTheSameNumbers()
    {
        using var scope = NewDisposeScope();
        const string config = """{"hidden_size":192,"intermediate_size":4099,"num_hidden_layers":1}""";
        using var model = Build(config, "auto");
        using var packed = Build(config, "auto", packed: true, dtype: ScalarType.BFloat16);
        var expected = ((IPackedWeights)model).Pack(StateDict.Save(model));
        foreach (var (key, tensor) in StateDict.Save(packed))
            Assert.That(tensor.equal(expected[key].to(tensor.dtype)).all().item<bool>(), Is.True, key);
    }

    [Test]
    public void Step_InOneCall_SameBitsAsThroughOpsAndOnAnyThreads()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        const string config = """{"hidden_size":1100,"intermediate_size":700,"num_hidden_layers":2}""";
        using var whole = Build(config, "auto", packed: true);
        using var byOps = Build(config, "mlgru=reference", packed: true);
        OpUsage.Reset();
        var one = Steps(whole);
        Assert.That(OpUsage.Backends.Keys, Does.Contain("matmulfree_step"));
        OpUsage.Reset();
        Assert.That(ThroughOps(whole).equal(one).all().item<bool>(), Is.True);
        Assert.That(OpUsage.Backends.Keys, Does.Not.Contain("matmulfree_step"));
        OpUsage.Reset();
        Steps(byOps);
        Assert.That(OpUsage.Backends.Keys, Does.Not.Contain("matmulfree_step"), "a named reference is not passed by");
        var before = WorkShare.Threads;
        try
        {
            WorkShare.Threads = 2;
            Assert.That(Steps(whole).equal(one).all().item<bool>(), Is.True);
        }
        finally
        {
            WorkShare.Threads = before;
        }

        static Tensor Steps(TokenModel model)
        {
            using var state = model.NewState(3)!;
            var ids = Ids(3, 4);
            return stack(ids.unbind(1).Select(column => model.Head(model.Step(column, state))).ToArray());
        }

        static Tensor ThroughOps(TokenModel model)
        {
            using var state = model.NewState(3)!;
            var ids = Ids(3, 4);
            return stack(ids.unbind(1).Select(column => model.Head(model.Hidden(column.unsqueeze(1), state).squeeze(1))).ToArray());
        }
    }

    [Test]
    public void Step_IdsOutsideTheVocabulary_AreRefused()
    {
        using var scope = NewDisposeScope();
        using var model = Build("{}", "auto", packed: true);
        using var state = model.NewState(1)!;
        Assert.That(() => model.Step(tensor(new long[] { Vocabulary }), state), Throws.TypeOf<ShapeException>().With.Message.EqualTo("Token id 53 is not in the vocabulary of 53."));
        Assert.That(() => model.Step(tensor(new long[] { 1, 2 }), state), Throws.TypeOf<ShapeException>());
    }

    [Test]
    public void CheckPacked_CodesAndScalesThatMeanNothing_AreAllNamed()
    {
        using var scope = NewDisposeScope();
        using var model = Build("{}", "auto", packed: true);
        var packed = new NamedTensors(StateDict.Save(model).Select(t => KeyValuePair.Create(t.Key, t.Value.clone())));
        packed["lm_head.weight_codes"][0, 0] = tensor((byte)0xFF);
        packed["model.layers.1.attn.o_proj.weight_scale"][0] = tensor(0f);
        Assert.That(() => ((IPackedWeights)model).CheckPacked(packed, "'x'"), Throws.TypeOf<UserException>().With.Message.EqualTo(
            "The packed weights of 'x' mean nothing:\n  'lm_head.weight_codes' has the code 3, which is no ternary weight.\n" +
            "  'model.layers.1.attn.o_proj.weight_scale' is 0; it must be positive."));
    }

    [Test]
    public void PackedBitLinear_AnySizes_SameBitsAsTheUnpackedLayer([Values(0, 1, 2, 9, 300)] int rows, [Values(1, 64, 129, 600)] int dim, [Values(1, 66)] int outputs)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        manual_seed(rows + dim + outputs);
        var (x, norm, weight) = (randn(2, rows, dim), rand(dim) + 0.5f, randn(outputs, dim));
        if (rows > 1)
            x[1, 1, 0] = float.NaN;
        var (codes, scale) = TernaryPacking.Pack(weight);
        foreach (var kernels in (string[])["cpu", "reference"])
        {
            var choice = KernelChoice.Parse(kernels);
            var (actual, expected) = (PackedBitLinearOp.Apply(x, norm, codes, scale, choice), BitLinearOp.Apply(x, norm, weight, choice));
            Assert.That(actual.shape, Is.EqualTo(expected.shape));
            Assert.That((actual.eq(expected) | (actual.isnan() & expected.isnan())).all().item<bool>(), Is.True, kernels);
        }
    }

    private static void RequireSameLogits(TokenModel packed, TokenModel model)
    {
        foreach (var length in (int[])[1, 5, 66])
        {
            var ids = Ids(2, length);
            Assert.That(packed.Head(packed.Hidden(ids)).equal(model.Head(model.Hidden(ids))).all().item<bool>(), Is.True, $"{length} tokens at once");
        }
        using var state = model.NewState(2)!;
        using var packedState = packed.NewState(2)!;
        foreach (var column in Ids(2, 6).unbind(1))
        {
            var expected = model.Head(model.Step(column, state));
            Assert.That(packed.Head(packed.Step(column, packedState)).equal(expected).all().item<bool>(), Is.True, "steps");
            Assert.That(expected.isfinite().all().item<bool>(), Is.True);
        }
        using var copy = packedState.Clone();
        var last = Ids(2, 1).select(1, 0);
        Assert.That(packed.Step(last, copy).equal(model.Step(last, state)).all().item<bool>(), Is.True, "from a copy of the state");
    }

    private static TokenModel Build(string config, string kernels, bool packed = false, int seed = 1, ScalarType dtype = ScalarType.Float32)
    {
        var values = JsonNode.Parse(config)!.AsObject();
        values["vocab_size"] = Vocabulary;
        manual_seed(seed);
        var model = (TokenModel)Architecture.CreateModel(
            Architecture.ReadConfig("tiny", values), new BuildContext { Kernels = KernelChoice.Parse(kernels), Packed = packed, Dtype = dtype });
        model.eval();
        return model;
    }

    /// <summary>Norms and bounds away from where they start.</summary>
    private static void Randomise(TokenModel model)
    {
        foreach (var (name, parameter) in model.TrainableParameters())
        {
            if (parameter.dim() == 1 || name.EndsWith("lower_bounds", StringComparison.Ordinal))
                parameter.add_(randn(parameter.shape) * 0.2f);
        }
    }

    private static Tensor Ids(int batch, int length)
    {
        var values = new Random(length);
        return tensor(Enumerable.Range(0, batch * length).Select(_ => (long)values.Next(Vocabulary)).ToArray(), [batch, length]);
    }
}
