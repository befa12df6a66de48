using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Zoo.Configuration;
using Zoo.Training;

namespace Zoo.Tests.Configuration;

public sealed class ConfigJsonTests
{
    private static readonly SampleConfig Basis = new() { ModelDim = 64 };

    private static SampleConfig Bind(string json) => ConfigJson.Bind(Basis, JsonNode.Parse(json)!.AsObject(), "sample");

    [Test]
    public void Bind_Values_LieOverTheBasis()
    {
        var config = Bind("""{"rate":0.5,"ssm_cfg":{"expand":3},"kind":"second_kind","sizes":[1,2],"name":"x","wide":5000000000}""");
        Assert.That((config.ModelDim, config.Rate, config.Name, config.Wide), Is.EqualTo((64, 0.5, "x", 5000000000)));
        Assert.That((config.Mixer.Expand, config.Mixer.StateDim), Is.EqualTo((3, 16)), "what is not said inside stays");
        Assert.That(config.Kind, Is.EqualTo(SampleKind.SecondKind));
        Assert.That(config.Sizes, Is.EqualTo(new[] { 1, 2 }));
        Assert.That(Basis.Rate, Is.EqualTo(0.1), "the basis stays as it is");
    }

    [Test]
    public void Bind_NothingGiven_GivesTheBasis() => Assert.That(ConfigJson.Write(Bind("{}")).ToJsonString(), Is.EqualTo(ConfigJson.Write(Basis).ToJsonString()));

    [TestCase("""{"d_modle":1}""", "'d_modle' is no key of it. Did you mean 'd_model'?")]
    [TestCase("""{"quantum":1}""", "'quantum' is no key of it.")]
    [TestCase("""{"ModelDim":1}""", "'ModelDim' is no key of it.")]
    [TestCase("""{"D_MODEL":1}""", "'D_MODEL' is no key of it. Did you mean 'd_model'?")]
    [TestCase("""{"ssm_cfg":{"expnad":1}}""", "'ssm_cfg.expnad' is no key of it. Did you mean 'ssm_cfg.expand'?")]
    [TestCase("""{"ssm_cfg":3}""", "'ssm_cfg' is 3; it must be an object.")]
    [TestCase("""{"d_model":"64"}""", "'d_model' is \"64\"; it must be a whole number.")]
    [TestCase("""{"d_model":1.5}""", "'d_model' is 1.5; it must be a whole number.")]
    [TestCase("""{"d_model":5000000000}""", "'d_model' is 5000000000; it must be a whole number from -2147483648 to 2147483647.")]
    [TestCase("""{"d_model":null}""", "'d_model' is null; it must be a whole number.")]
    [TestCase("""{"d_model":[1]}""", "'d_model' is [1]; it must be a whole number.")]
    [TestCase("""{"wide":true}""", "'wide' is true; it must be a whole number.")]
    [TestCase("""{"rate":"fast"}""", "'rate' is \"fast\"; it must be a number.")]
    [TestCase("""{"tie":1}""", "'tie' is 1; it must be true or false.")]
    [TestCase("""{"name":1}""", "'name' is 1; it must be text.")]
    [TestCase("""{"name":null}""", "'name' is null; it must be text.")]
    [TestCase("""{"ssm_cfg":null}""", "'ssm_cfg' is null; it must be an object.")]
    [TestCase("""{"sizes":null}""", "'sizes' is null; it must be a list, each item a whole number.")]
    [TestCase("""{"sizes":3}""", "'sizes' is 3; it must be a list, each item a whole number.")]
    [TestCase("""{"sizes":[1,"b"]}""", "'sizes' is [1,\"b\"]; it must be a list, each item a whole number.")]
    [TestCase("""{"wide":99999999999999999999}""", "'wide' is 99999999999999999999; it must be a whole number from -9223372036854775808 to 9223372036854775807.")]
    [TestCase("""{"seed":-1}""", "'seed' is -1; it must be a whole number from 0 to 4294967295.")]
    [TestCase("""{"seed":"a'b"}""", "'seed' is \"a'b\"; it must be a whole number.")]
    [TestCase("""{"places":5}""", "'places' is 5; it must be a list of places.")]
    [TestCase("""{"factors":3}""", "'factors' is 3; it must be an object.")]
    [TestCase("""{"kind":"third"}""", "'kind' is \"third\"; it must be one of first, second_kind, 3rd.")]
    [TestCase("""{"kind":1}""", "'kind' is 1; it must be one of first, second_kind, 3rd.")]
    [TestCase("""{"inner":1}""", "'inner' is no key of it.")]
    [TestCase("""{"hidden":1}""", "'hidden' is no key of it.")]
    [TestCase("""{"layers":[{"width":1},{"widht":2}]}""", "'layers[1].widht' is no key of it. Did you mean 'layers[1].width'?")]
    [TestCase("""{"layers":[{"width":"b"}]}""", "'layers[0].width' is \"b\"; it must be a whole number.")]
    [TestCase("""{"layers":[4]}""", "'layers[0]' is 4; it must be an object.")]
    [TestCase("""{"layers":[{"width":0}]}""", "In layers[0]: 'width' is 0; it must be at least 1.")]
    [TestCase("""{"ssm_cfg":{"d_state":0}}""", "In ssm_cfg: 'd_state' is 0; it must be at least 1.")]
    [TestCase("""{"d_model":0}""", "'d_model' is 0; it must be at least 1.")]
    public void Bind_OneProblem_IsNamed(string json, string sentence) =>
        Assert.That(() => Bind(json), Throws.TypeOf<ConfigException>().With.Message.EqualTo($"The config of sample has a problem:\n  {sentence}"));

    [Test]
    public void Bind_SeveralProblems_AreAllNamedAtOnce() =>
        Assert.That(() => Bind("""{"d_modle":1,"rate":"fast","ssm_cfg":{"expand":null,"x":1}}"""), Throws.TypeOf<ConfigException>().With.Message.EqualTo(
            "The config of sample has 4 problems:\n" +
            "  'd_modle' is no key of it. Did you mean 'd_model'?\n" +
            "  'rate' is \"fast\"; it must be a number.\n" +
            "  'ssm_cfg.expand' is null; it must be a whole number.\n" +
            "  'ssm_cfg.x' is no key of it.").And.Property(nameof(ConfigException.Problems)).Count.EqualTo(4));

    [Test]
    public void Bind_SeveralWrongValues_AreAllNamedAtOnce() =>
        Assert.That(() => Bind("""{"d_model":0,"ssm_cfg":{"d_state":-1},"layers":[{},{"width":-2}]}"""), Throws.TypeOf<ConfigException>()
            .With.Property(nameof(ConfigException.Problems)).Count.EqualTo(3));

    [Test]
    public void Bind_NullWhereItIsAllowed_IsNull()
    {
        var config = ConfigJson.Bind(Basis with { Limit = 3, Note = "x" }, JsonNode.Parse("""{"limit":null,"note":null}""")!.AsObject(), "sample");
        Assert.That((config.Limit, config.Note), Is.EqualTo(((int?)null, (string?)null)));
    }

    [Test]
    public void Bind_IgnoredKeys_HaveNoEffect() =>
        Assert.That(ConfigJson.Write(Bind("""{"architectures":["X"],"torch_dtype":"float16","ssm_cfg":{"layer":"Mamba1"}}""")).ToJsonString(),
            Is.EqualTo(ConfigJson.Write(Basis).ToJsonString()));

    [Test]
    public void Bind_ListOfRecords_FillsInDefaults()
    {
        var config = Bind("""{"layers":[{"width":8},{}]}""");
        Assert.That(config.Layers, Is.EqualTo(new[] { new LayerSettings { Width = 8 }, new LayerSettings() }));
    }

    [Test]
    public void Bind_Infinity_IsANumberByName()
    {
        Assert.That(Bind("""{"rate":"Infinity"}""").Rate, Is.EqualTo(double.PositiveInfinity));
        Assert.That(Bind("""{"factors":{"a":2}}""").Factors["a"], Is.EqualTo(2));
    }

    [Test]
    public void Bind_KeyGivenTwice_IsAProblem()
    {
        Assert.That(() => Bind("""{"d_model":1,"d_model":2}"""), Throws.TypeOf<ConfigException>().With.Message.EndsWith("\n  It has a key twice."));
        Assert.That(() => Bind("""{"ssm_cfg":{"expand":1,"expand":2}}"""), Throws.TypeOf<ConfigException>().With.Message.EndsWith("\n  'ssm_cfg' has a key twice."));
    }

    [Test]
    public void Bind_WhatWasWritten_GivesTheSameValues()
    {
        var config = Bind("""{"d_model":32,"rate":"Infinity","kind":"3rd","layers":[{"width":2}],"factors":{"b":0.1},"ssm_cfg":{"expand":4},"sizes":[7]}""");
        var written = ConfigJson.Write(config);
        Assert.That(ConfigJson.Write(ConfigJson.Bind(new SampleConfig(), written, "sample")).ToJsonString(), Is.EqualTo(written.ToJsonString()));
    }

    [Test]
    public void Write_Keys_AreUpstreamsAndDerivedValuesAreNone()
    {
        var written = ConfigJson.Write(Basis);
        Assert.That(written.Select(p => p.Key), Is.EquivalentTo(new[]
        {
            "d_model", "wide", "rate", "tie", "name", "note", "limit", "kind", "sizes", "factors", "ssm_cfg", "seed", "places", "layers",
        }));
        Assert.That(written["kind"]!.GetValue<string>(), Is.EqualTo("first"));
    }

    [Test]
    public void Flatten_NestedRecords_GivesPaths() =>
        Assert.That(ConfigJson.Flatten(Basis).Select(p => $"{p.Key}={p.Value?.ToJsonString()}").Where(p => p.StartsWith("ssm") || p.StartsWith("d_")),
            Is.EqualTo(new[] { "d_model=64", "ssm_cfg.expand=2", "ssm_cfg.d_state=16" }));

    [Test]
    public void Set_Path_MakesWhatIsMissing()
    {
        var values = new JsonObject { ["b"] = 1 };
        ConfigJson.Set(values, "a.x.y", 3);
        ConfigJson.Set(values, "a.z", 4);
        ConfigJson.Set(values, "b.c", 5);
        Assert.That(values.ToJsonString(), Is.EqualTo("""{"b":{"c":5},"a":{"x":{"y":3},"z":4}}"""));
        Assert.That(ConfigJson.Has(values, "a.x.y"), Is.True);
        Assert.That(ConfigJson.Has(values, "a.x"), Is.True);
        Assert.That(ConfigJson.Has(values, "a.y"), Is.False);
        Assert.That(ConfigJson.Has(values, "a.z.q"), Is.False);
    }

    [TestCase("3", "3")]
    [TestCase("0.5", "0.5")]
    [TestCase("true", "true")]
    [TestCase("null", null)]
    [TestCase("[1, 2]", "[1,2]")]
    [TestCase("""{"a":1}""", """{"a":1}""")]
    [TestCase("text", "\"text\"")]
    [TestCase("", "\"\"")]
    [TestCase("1e", "\"1e\"")]
    [TestCase("007", "\"007\"")]
    [TestCase("\"\\ud800\"", "\"\\u0022\\\\ud800\\u0022\"")]
    [TestCase("""{"a":1,"a":2}""", "\"{\\u0022a\\u0022:1,\\u0022a\\u0022:2}\"")]
    public void ParseValue_AsTyped_IsJsonOrText(string typed, string? json) => Assert.That(ConfigJson.ParseValue(typed)?.ToJsonString(), Is.EqualTo(json));

    private enum SampleKind
    {
        First,
        SecondKind,
        [JsonStringEnumMemberName("3rd")]
        Third,
    }

    [IgnoredKeys("architectures", "torch_dtype")]
    private sealed record SampleConfig : Settings
    {
        [JsonPropertyName("d_model")] public int ModelDim { get; init; } = 16;
        [JsonPropertyName("wide")] public long Wide { get; init; } = 1;
        [JsonPropertyName("rate")] public double Rate { get; init; } = 0.1;
        [JsonPropertyName("tie")] public bool Tie { get; init; }
        [JsonPropertyName("name")] public string Name { get; init; } = "";
        [JsonPropertyName("note")] public string? Note { get; init; }
        [JsonPropertyName("limit")] public int? Limit { get; init; }
        [JsonPropertyName("kind")] public SampleKind Kind { get; init; }
        [JsonPropertyName("sizes")] public IReadOnlyList<int> Sizes { get; init; } = [];
        [JsonPropertyName("factors")] public IReadOnlyDictionary<string, double> Factors { get; init; } = new Dictionary<string, double>();
        [JsonPropertyName("ssm_cfg")] public MixerSettings Mixer { get; init; } = new();
        [JsonPropertyName("seed")] public uint Seed { get; init; }
        [JsonPropertyName("places")] public Places? Places { get; init; }
        [JsonPropertyName("layers")] public IReadOnlyList<LayerSettings> Layers { get; init; } = [];
        [JsonIgnore] public int Hidden { get; init; }
        [JsonPropertyName("inner")] public int InnerDim => Mixer.Expand * ModelDim;
        public TrainingSettings Training => new() { Steps = 3 };

        public override IEnumerable<string> Problems()
        {
            if (ModelDim < 1)
                yield return $"'d_model' is {ModelDim}; it must be at least 1.";
        }
    }

    [System.ComponentModel.Description("a list of places")]
    private sealed record Places(IReadOnlyList<int> All);

    [IgnoredKeys("layer")]
    private sealed record MixerSettings : Settings
    {
        [JsonPropertyName("expand")] public int Expand { get; init; } = 2;
        [JsonPropertyName("d_state")] public int StateDim { get; init; } = 16;

        public override IEnumerable<string> Problems()
        {
            if (StateDim < 1)
                yield return $"'d_state' is {StateDim}; it must be at least 1.";
        }
    }

    private sealed record LayerSettings : Settings
    {
        [JsonPropertyName("width")] public int Width { get; init; } = 4;

        public override IEnumerable<string> Problems()
        {
            if (Width < 1)
                yield return $"'width' is {Width}; it must be at least 1.";
        }
    }
}
