using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Files;
using Zoo.Tasks;
using Zoo.Tests.Files;
using static TorchSharp.torch;

namespace Zoo.Tests.Architectures;

public sealed class StateDictTests
{
    [Test]
    public void Save_ParametersAndBuffers_AreDetachedUnderTheirKeys()
    {
        using var scope = NewDisposeScope();
        var model = new TiedModel();
        var saved = StateDict.Save(model);
        Assert.That(saved.Keys, Is.EquivalentTo(new[] { "embedding.weight", "out.weight", "out.bias", "steps", "scale" }));
        Assert.That(saved.Values.Select(t => t.requires_grad), Is.All.False);
        Assert.That(saved["steps"].dtype, Is.EqualTo(ScalarType.Int64));
        Assert.That(StateDict.Save(model, withTiedKeys: true).Keys, Is.EquivalentTo(saved.Keys.Append("lm_head.weight")));
    }

    [Test]
    public void Load_WhatAnotherModelSaved_MakesThemEqual()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        var (a, b) = (new TiedModel(), new TiedModel());
        a.Steps.fill_(7);
        SafeTensorsWriter.Write(folder.File("a.safetensors"), StateDict.Save(a));
        using var file = SafeTensorsFile.Open(folder.File("a.safetensors"));
        Assert.That(Equal(a, b), Is.False, "they start apart");
        StateDict.Load(b, file.LoadAll(), "'a.safetensors'");
        Assert.That(Equal(a, b), Is.True);
        Assert.That(b.Steps.item<long>(), Is.EqualTo(7));
        Assert.That(b.parameters().Select(p => p.requires_grad), Is.All.True);
    }

    [TestCase(ScalarType.BFloat16)]
    [TestCase(ScalarType.Float16)]
    [TestCase(ScalarType.Float64)]
    public void Load_AnotherFloatingType_IsConverted(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var model = new TiedModel();
        var tensors = StateDict.Save(model);
        tensors["out.bias"] = tensor(new[] { 0.5, -2, 8 }).to(dtype);
        StateDict.Load(model, tensors, "'a'");
        var bias = StateDict.Save(model)["out.bias"];
        Assert.That(bias.dtype, Is.EqualTo(ScalarType.Float32));
        Assert.That(bias.data<float>().ToArray(), Is.EqualTo(new[] { 0.5f, -2, 8 }));
    }

    [TestCase(false, true)]
    [TestCase(true, false)]
    [TestCase(true, true)]
    public void Load_SharedTensorUnderAnyOfItsNames_IsTaken(bool first, bool second)
    {
        using var scope = NewDisposeScope();
        var model = new TiedModel();
        var tensors = StateDict.Save(model);
        tensors.Remove("embedding.weight");
        if (first)
            tensors["embedding.weight"] = full(4, 3, 2f);
        if (second)
            tensors["lm_head.weight"] = full(4, 3, 2f);
        StateDict.Load(model, tensors, "'a'");
        Assert.That(StateDict.Save(model)["embedding.weight"].sum().item<float>(), Is.EqualTo(24));
    }

    [Test]
    public void Load_SharedTensorWithTwoValues_IsRefused()
    {
        using var scope = NewDisposeScope();
        var model = new TiedModel();
        var tensors = StateDict.Save(model);
        tensors["lm_head.weight"] = full(4, 3, 2f);
        Assert.That(() => StateDict.Load(model, tensors, "'a'"), Throws.TypeOf<UserException>()
            .With.Message.Contains("  'embedding.weight' and 'lm_head.weight' differ, and the model has one tensor for both."));
    }

    [Test]
    public void Load_OneParameterInTwoPlaces_NeedsOneName()
    {
        using var scope = NewDisposeScope();
        var model = new SharingModule();
        var keys = StateDict.Save(model).Keys.ToList();
        StateDict.Load(model, new NamedTensors { [keys[0]] = full(2, 2, 3f) }, "'a'");
        Assert.That(StateDict.Save(model).Values.Select(t => t.sum().item<float>()), Is.All.EqualTo(12));
    }

    [Test]
    public void Load_NothingFits_NamesEverythingAndChangesNothing()
    {
        using var scope = NewDisposeScope();
        var model = new TiedModel();
        var before = StateDict.Save(model).ToDictionary(t => t.Key, t => t.Value.clone());
        var tensors = StateDict.Save(model);
        tensors.Remove("embedding.weight");
        tensors.Remove("scale");
        tensors["out.weight"] = ones(3, 4);
        tensors["steps"] = ones(1);
        tensors["out.bias"] = ones(3);
        tensors["other"] = ones(2, 2);
        Assert.That(() => StateDict.Load(model, tensors, "'model.safetensors'"), Throws.TypeOf<UserException>().With.Message.EqualTo("""
            The tensors of 'model.safetensors' do not fit tied: 2 missing, 1 not the model's, 2 of another shape, type or value.
              'scale' [2] is missing.
              'embedding.weight' [4, 3] is missing (also known as lm_head.weight).
              'other' [2, 2] is not one of the model's.
              'out.weight' is [3, 4] but must be [3, 3].
              'steps' is Float32 but must be Int64.
            """.ReplaceLineEndings("\n")));
        Assert.That(StateDict.Save(model).All(t => t.Value.eq(before[t.Key]).all().item<bool>()), Is.True);
    }

    [Test]
    public void Load_ManyProblems_ShowsAHundredAndCountsTheRest()
    {
        using var scope = NewDisposeScope();
        var model = new TiedModel();
        var tensors = StateDict.Save(model);
        foreach (var i in Enumerable.Range(0, 103))
            tensors[$"x{i}"] = ones(1);
        Assert.That(() => StateDict.Load(model, tensors, "'a'"), Throws.TypeOf<UserException>().With.Message
            .Contains("103 not the model's").And.Message.Contains("'x99'").And.Message.Not.Contains("'x100'").And.Message.EndsWith("\n  and 3 more."));
    }

    private static bool Equal(nn.Module a, nn.Module b)
    {
        var other = StateDict.Save(b);
        return StateDict.Save(a).All(t => t.Value.eq(other[t.Key]).all().item<bool>());
    }

    /// <summary>Two layers that own one parameter.</summary>
    private sealed class SharingModule : nn.Module
    {
        private readonly Linear _first = nn.Linear(2, 2, hasBias: false);
        private readonly Linear _second = nn.Linear(2, 2, hasBias: false);

        public SharingModule() : base("sharing")
        {
            _second.weight = _first.weight;
            RegisterComponents();
        }
    }

    /// <summary>A model whose checkpoints hold its embedding twice.</summary>
    private sealed class TiedModel : Model
    {
        [ComponentName(Name = "embedding")]
        private readonly Embedding _embedding = nn.Embedding(4, 3);
        [ComponentName(Name = "out")]
        private readonly Linear _out = nn.Linear(3, 3);
        [ComponentName(Name = "scale")]
        private readonly Parameter _scale = new(rand(2));
        [ComponentName(Name = "steps")]
        private readonly Tensor _steps = zeros(1, int64);   // a tensor that is no parameter is a buffer

        public TiedModel() : base("tied")
        {
            RegisterComponents();
        }

        public Tensor Steps => _steps;

        public override ModelKind Kind => ModelKind.TokenModel;

        public override ModelOutput Run(Batch batch) => throw new NotSupportedException();

        public override NamedTensors RunCase(NamedTensors inputs) =>
            new() { ["y"] = _out.forward(_embedding.forward(inputs["ids"])).sum(-1, keepdim: true) * _scale };

        public override IReadOnlyList<string> TiedKeys(string key) => key == "embedding.weight" ? ["lm_head.weight"] : [];
    }
}
