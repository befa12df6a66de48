using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Kernels;
using Zoo.MinRnn;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.MinRnn;

public sealed class MinRnnModelTests
{
    [Test]
    public void GatedRnn_Loop_EqualsLibtorch([Values("gru", "lstm")] string name)
    {
        using var scope = NewDisposeScope();
        var (fused, loop) = (Build(name, """{"implementation": "fused"}"""), Build(name, """{"implementation": "loop"}"""));
        StateDict.Load(loop, StateDict.Save(fused), "the fused model");
        var ids = randint(32, [3, 20], int64);
        TensorAssert.Close(((TokenModel)loop).Hidden(ids), ((TokenModel)fused).Hidden(ids), 1e-5, 1e-5, name);
    }

    [Test]
    public void MinGru_PlainForm_IsAnotherModel()
    {
        using var scope = NewDisposeScope();
        var (log, plain) = ((TokenModel)Build("mingru", "{}"), (TokenModel)Build("mingru", """{"log_space": false}"""));
        StateDict.Load(plain, StateDict.Save(log), "the other form");
        var ids = randint(32, [2, 9], int64);
        Assert.That((plain.Hidden(ids) - log.Hidden(ids)).abs().max().item<float>(), Is.GreaterThan(1e-2));
    }

    [Test]
    public void MinGru_Keys_AreTheOriginalProjects()
    {
        using var scope = NewDisposeScope();
        var keys = StateDict.Save(Build("mingru", "{}")).Keys.ToList();
        Assert.That(keys, Has.Member("token_emb.weight").And.Member("layers.1.0.net.0.weight").And.Member("layers.1.0.net.1.bias")
            .And.Member("layers.0.2.to_hidden_and_gate.weight").And.Member("layers.0.2.to_out.weight").And.Member("layers.0.4.2.bias").And.Member("to_logits.weight"));
        Assert.That(StateDict.Save(Build("mingru", """{"expansion": 1.0, "ff_mult": 0}""")).Keys,
            Has.None.Contains("to_out").And.None.StartsWith("layers.0.4").And.None.StartsWith("layers.0.3"));
    }

    [Test]
    public void ReadConfig_WhatDoesNotFit_IsASentence()
    {
        Assert.That(() => Architecture("mingru").ReadConfig("default", Json("""{"use_lstm": true}""")),
            Throws.TypeOf<ConfigException>().With.Message.Contains("'use_lstm' is true, and that model is the architecture minlstm."));
        Assert.That(() => Architecture("mingru").ReadConfig("default", Json("""{"input_dim": 3}""")),
            Throws.TypeOf<ConfigException>().With.Message.Contains("'num_tokens' and 'input_dim' are both set"));
        Assert.That(() => Architecture("qrnn").ReadConfig("default", Json("""{"window": 3}""")),
            Throws.TypeOf<ConfigException>().With.Message.Contains("'window' is 3; it must be 1 or 2."));
        Assert.That(() => Architecture("lru").ReadConfig("default", Json("""{"r_min": 0.99, "r_max": 0.9}""")),
            Throws.TypeOf<ConfigException>().With.Message.Contains("0 <= r_min <= r_max <= 1"));
        Assert.That(() => Architecture("qrnn").ReadConfig("default", Json("""{"bidirectional": true, "bias": false}""")),
            Throws.TypeOf<ConfigException>().With.Message.Contains("'bidirectional' is true; as in the original project it must be false.")
                .And.Message.Contains("'bias' is false; as in the original project it must be true."));
    }

    [Test]
    public void ReadUpstreamConfig_WhatIsNotSaid_IsTheOriginalProjects()
    {
        var qrnn = (QrnnConfig)Architecture("qrnn").ReadUpstreamConfig("default", Json("""{"input_size": 3, "hidden_size": 5}"""));
        Assert.That((qrnn.VocabSize, qrnn.LayerCount, qrnn.Window, qrnn.OutputGate), Is.EqualTo(((int?)null, 1, 1, true)));
        var lru = (LruConfig)Architecture("lru").ReadUpstreamConfig("default", Json("""{"d_input": 3, "d_output": 5}"""));
        Assert.That((lru.Norm, lru.PreNorm, lru.MinRadius, lru.MaxRadius, lru.MaxPhase), Is.EqualTo((LruNorm.Batch, false, 0.0, 1.0, 6.28)));
        Assert.That(() => Architecture("lru").ReadUpstreamConfig("default", Json("""{"d_input": 3, "d_output": 5, "r_min": 0.9, "r_max": 0.9, "max_phase": 6.2832}""")),
            Throws.Nothing, "a ring without width and a phase just above 2π");
    }

    /// <summary>Two layers of width 1 by hand: c = f tanh(z) + (1 - f) c with z = w x, f = σ(0) = 1/2.</summary>
    [Test]
    public void Qrnn_GivenHidden_IsWhereEachLayerStarts()
    {
        using var scope = NewDisposeScope();
        var architecture = Architecture("qrnn");
        var config = architecture.ReadUpstreamConfig("default", Json("""{"input_size": 1, "hidden_size": 1, "num_layers": 2, "output_gate": false}"""));
        var model = architecture.CreateModel(config, new BuildContext { Kernels = KernelChoice.Auto });
        model.eval();
        var (weight, bias) = (tensor(new float[,] { { 1 }, { 0 } }), zeros(2));     // of z, then of f
        StateDict.Load(model, new()
        {
            ["layers.0.linear.weight"] = weight,
            ["layers.0.linear.bias"] = bias,
            ["layers.1.linear.weight"] = weight,
            ["layers.1.linear.bias"] = bias,
        }, "the test");
        float[] x = [0.3f, -1.2f];
        var hidden = tensor(new[] { 0.5f, -2f }, [2, 1, 1]).requires_grad_();
        var outputs = model.RunCase(new() { ["x"] = tensor(x, [2, 1, 1]), ["hidden"] = hidden });
        double lower = 0.5, upper = -2, upperSlope = 1;
        var expected = new List<double>();
        foreach (var xt in x)
        {
            lower = (Math.Tanh(xt) + lower) / 2;
            upper = (Math.Tanh(lower) + upper) / 2;
            upperSlope /= 2;
            expected.Add(upper);
        }
        TensorAssert.Close(outputs["y"].flatten(), tensor(expected.ToArray()), 1e-6, 1e-6, "y");
        TensorAssert.Close(outputs["hidden"].flatten(), tensor(new[] { lower, upper }), 1e-6, 1e-6, "hidden");
        Gradients.Backward(outputs["y"][1].sum());
        Assert.That(hidden.grad![1].item<float>(), Is.EqualTo(upperSlope).Within(1e-6), "of the upper layer's state");
        Assert.That(hidden.grad![0].item<float>(), Is.Not.Zero, "of the lower layer's state");
    }

    [Test]
    public void Lru_RingInitialisation_EigenvaluesLieOnTheRing()
    {
        using var scope = NewDisposeScope();
        var parameters = StateDict.Save(Build("lru", """{"d_hidden": 500, "r_min": 0.8, "r_max": 0.9}"""));
        var radius = (-parameters["encoder.layers_0.seq.nu_log"].exp()).exp();
        Assert.That(radius.min().item<float>(), Is.GreaterThan(0.799f));
        Assert.That(radius.max().item<float>(), Is.LessThan(0.901f));
        var gamma = parameters["encoder.layers_0.seq.gamma_log"].exp();
        TensorAssert.Close(gamma.square(), ones(500) - radius.square(), 1e-5, 1e-5, "γ² = 1 - |λ|²");
        var kernel = parameters["encoder.layers_0.out1.kernel"];
        Assert.That(kernel.std().item<float>(), Is.EqualTo(Math.Sqrt(1.0 / 12)).Within(0.06), "LeCun's deviation, and not one number everywhere");
    }

    [Test]
    public void Lru_OwnParameters_HaveTheirRateAndNoDecay()
    {
        using var scope = NewDisposeScope();
        var group = Build("lru", """{"lr_factor": 0.25}""").ParameterGroups().Single();
        Assert.That(group.LearningRateFactor, Is.EqualTo(0.25));
        Assert.That(group.WeightDecay, Is.Zero);
        Assert.That(group.Names, Has.Count.EqualTo(10));
        Assert.That(group.Names, Has.None.Contains("C_re").And.None.EndsWith("seq.D"));
    }

    [Test]
    public void Lru_BatchNorm_TrainsItsRunningStatistics()
    {
        using var scope = NewDisposeScope();
        var model = Build("lru", """{"norm": "batch"}""");
        using var batch = Batch();
        model.train();
        model.Run(batch);
        var mean = StateDict.Save(model)["encoder.layers_0.normalization.mean"];
        Assert.That(mean.abs().max().item<float>(), Is.GreaterThan(0));
        model.eval();
        Assert.That(model.Run(batch).Outputs.isfinite().all().item<bool>(), Is.True);
    }

    [Test]
    public void Qrnn_Zoneout_KeepsStatesInTrainingAndTheirExpectationAfter()
    {
        using var scope = NewDisposeScope();
        var model = (TokenModel)Build("qrnn", """{"zoneout": 0.5, "dropout": 0}""");
        var ids = randint(32, [2, 7], int64);
        var expected = model.Hidden(ids);
        model.train();
        var drawn = model.Hidden(ids);
        Assert.That((drawn - expected).abs().max().item<float>(), Is.GreaterThan(1e-3));
        model.Randomness = new CounterRandom(0);
        Assert.That(model.Hidden(ids).Equals(drawn), Is.True, "the same numbers from the same counter");
    }

    private static TokenBatch Batch() => new(randint(32, [2, 12], int64), arange(24, int64), randint(32, [24], int64));

    private static IModelArchitecture Architecture(string name) => name switch
    {
        "mingru" => new MinGruArchitecture(),
        "minlstm" => new MinLstmArchitecture(),
        "gru" => new GruArchitecture(),
        "lstm" => new LstmArchitecture(),
        "qrnn" => new QrnnArchitecture(),
        _ => new LruArchitecture(),
    };

    private static JsonObject Json(string text) => JsonNode.Parse(text)!.AsObject();

    private static Model Build(string name, string values)
    {
        manual_seed(1);
        var architecture = Architecture(name);
        var model = architecture.CreateModel(architecture.ReadConfig("tiny", Json(values)), new BuildContext { Kernels = KernelChoice.Auto });
        model.eval();
        return model;
    }
}
