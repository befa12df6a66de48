using System.Text.Json.Nodes;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

public sealed class OpArgumentTests
{
    private static OpResult Invoke(NamedTensors inputs, JsonObject? options = null) => new ScaleOp().Invoke(inputs, new OpOptions(options ?? []), KernelChoice.Auto);

    [Test]
    public void Invoke_ArgumentsFit_RunsTheReference()
    {
        using var scope = NewDisposeScope();
        var result = Invoke(new() { ["x"] = ones(2, 3, 4), ["w"] = ones(4, 5), ["pair"] = ones(2), ["ids"] = zeros(5, int64) }, new JsonObject { ["scale"] = 3 });
        Assert.That(result.Backend, Is.EqualTo("reference"));
        Assert.That(result.Outputs["y"].shape, Is.EqualTo(new long[] { 2, 3, 4 }));
        Assert.That(result.Outputs["y"].sum().item<float>(), Is.EqualTo(72));
        Assert.That(Invoke(new() { ["x"] = ones(4), ["w"] = ones(4, 5) }).Outputs["y"].sum().item<float>(), Is.EqualTo(4), "no leading axes, nothing optional");
    }

    private static IEnumerable<TestCaseData> Misfits
    {
        get
        {
            TestCaseData Case(string sentence, Func<NamedTensors> inputs) => new TestCaseData(inputs, sentence).SetArgDisplayNames(sentence);
            yield return Case("scale needs the argument 'w'.", () => new() { ["x"] = ones(4) });
            yield return Case("scale has no argument 'v'; it takes x, w, pair, ids, each.", () => new() { ["x"] = ones(4), ["w"] = ones(4, 5), ["v"] = ones(1) });
            yield return Case("scale: 'w' is [3, 5] but must be [D 4, O].", () => new() { ["x"] = ones(2, 4), ["w"] = ones(3, 5) });
            yield return Case("scale: 'w' is [4] but must be [D 4, O].", () => new() { ["x"] = ones(2, 4), ["w"] = ones(4) });
            yield return Case("scale: 'w' is [1, 4, 5] but must be [D 4, O].", () => new() { ["x"] = ones(2, 4), ["w"] = ones(1, 4, 5) });
            yield return Case("scale: 'x' is [] but must be [..., D].", () => new() { ["x"] = ones(Array.Empty<long>()), ["w"] = ones(4, 5) });
            yield return Case("scale: 'each' is [5, 3] but must be [D 4, O 5].", () => new() { ["x"] = ones(4), ["w"] = ones(4, 5), ["each"] = ones(5, 3) });
            yield return Case("scale: 'each' is [1, 4, 5] but must be [D 4] or [D 4, O 5].", () => new() { ["x"] = ones(4), ["w"] = ones(4, 5), ["each"] = ones(1, 4, 5) });
            yield return Case("scale: 'pair' is [3] but must be [2].", () => new() { ["x"] = ones(4), ["w"] = ones(4, 5), ["pair"] = ones(3) });
            yield return Case("scale: 'x' is Int64 but must be floating point.", () => new() { ["x"] = ones(4, int64), ["w"] = ones(4, 5) });
            yield return Case("scale: 'ids' is Float32 but must be Int64.", () => new() { ["x"] = ones(4), ["w"] = ones(4, 5), ["ids"] = ones(5) });
        }
    }

    [Test]
    public void Invoke_OneOfSeveralForms_Fits()
    {
        using var scope = NewDisposeScope();
        Assert.That(() => Invoke(new() { ["x"] = ones(4), ["w"] = ones(4, 5), ["each"] = ones(4) }), Throws.Nothing);
        Assert.That(() => Invoke(new() { ["x"] = ones(4), ["w"] = ones(4, 5), ["each"] = ones(4, 5) }), Throws.Nothing);
    }

    [Test]
    public void AxesFor_Sizes_TheLongestThatTheyFill()
    {
        var each = new ScaleOp().Arguments[^1];
        Assert.That(each.Letters, Is.EqualTo(new[] { "D", "O" }));
        Assert.That(each.AxesFor(new Dictionary<string, long> { ["D"] = 4 }), Is.EqualTo(new[] { "D" }));
        Assert.That(each.AxesFor(new Dictionary<string, long> { ["D"] = 4, ["O"] = 5 }), Is.EqualTo(new[] { "D", "O" }));
    }

    [TestCaseSource(nameof(Misfits))]
    public void Invoke_ArgumentDoesNotFit_NamesIt(Func<NamedTensors> inputs, string sentence)
    {
        using var scope = NewDisposeScope();
        Assert.That(() => Invoke(inputs()), Throws.TypeOf<ShapeException>().With.Message.EqualTo(sentence));
    }

    [Test]
    public void Invoke_AxisIsAProduct_ItsLettersMayComeLater()
    {
        using var scope = NewDisposeScope();
        NamedTensors Inputs(long width, long rows) => new() { ["x"] = ones(2, width), ["r"] = ones(3, rows, 5), ["state"] = ones(4, 15) };
        Assert.That(new HeadsOp().Invoke(Inputs(60, 20), OpOptions.None, KernelChoice.Auto).Outputs["y"].shape, Is.EqualTo(new long[] { 2, 60 }));
        Assert.That(() => new HeadsOp().Invoke(Inputs(45, 20), OpOptions.None, KernelChoice.Auto),
            Throws.TypeOf<ShapeException>().With.Message.EqualTo("heads: 'x' is [2, 45] but must be [B 2, 4*H*D 60]."));
        Assert.That(() => new HeadsOp().Invoke(Inputs(60, 21), OpOptions.None, KernelChoice.Auto),
            Throws.TypeOf<ShapeException>().With.Message.EqualTo("heads: 'r' is [3, 21, 5] but must be [H 3, 4*D 20, D 5]."));
    }

    [TestCase("\"three\"", "The option 'scale' is \"three\"; it must be a number.")]
    [TestCase("true", "The option 'scale' is true; it must be a number.")]
    [TestCase("[3]", "The option 'scale' is [3]; it must be a number.")]
    public void Invoke_OptionOfAnotherType_NamesIt(string value, string sentence)
    {
        using var scope = NewDisposeScope();
        Assert.That(() => Invoke(new() { ["x"] = ones(4), ["w"] = ones(4, 5) }, new JsonObject { ["scale"] = JsonNode.Parse(value) }),
            Throws.TypeOf<UserException>().With.Message.EqualTo(sentence));
    }

    [TestCase("3")]
    [TestCase("3.0")]
    [TestCase("null")]
    public void Invoke_OptionAsAFileOrAProgramGivesIt_IsANumber(string value)
    {
        using var scope = NewDisposeScope();
        var expected = value == "null" ? 4 : 12;
        Assert.That(Invoke(new() { ["x"] = ones(4), ["w"] = ones(4, 5) }, new JsonObject { ["scale"] = JsonNode.Parse(value) })
            .Outputs["y"].sum().item<float>(), Is.EqualTo(expected));
    }

    [Test]
    public void Get_UnknownOp_SaysWhichWasMeant()
    {
        var catalog = new OpCatalog([new ScaleOp()]);
        Assert.That(catalog.Get("scale").Title, Is.EqualTo("x times a number"));
        Assert.That(catalog.Find("scael"), Is.Null);
        Assert.That(() => catalog.Get("scael"), Throws.TypeOf<UserException>().With.Message.EqualTo("No installed plugin has an op named 'scael'. Did you mean 'scale'?"));
        Assert.That(() => new OpCatalog([new ScaleOp(), new ScaleOp()]), Throws.TypeOf<UserException>().With.Message.Contains("Two installed plugins have an op named 'scale'"));
        Assert.That(catalog.FindForCase("scale"), Is.SameAs(catalog.Get("scale")));
        Assert.That(catalog.FindForCase("scael"), Is.Null);
    }

    /// <summary>y = scale · x, with an argument of every kind.</summary>
    private sealed class ScaleOp : Op
    {
        public override string Name => "scale";

        public override string Title => "x times a number";

        public override IReadOnlyList<OpArgument> Arguments { get; } =
        [
            new("x", "...", "D"), new("w", "D", "O"), new("pair", "2") { Optional = true }, new("ids", "O") { Optional = true, Dtype = ScalarType.Int64 },
            new("each", "D") { Optional = true, OtherAxes = [["D", "O"]] },
        ];

        public override IReadOnlyList<string> Options => ["scale"];

        public override IReadOnlyList<string> Outputs => ["y"];

        protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => new() { ["y"] = inputs["x"] * options.Get("scale", 1.0) };
    }

    /// <summary>Heads in one axis, told apart by weights that come after.</summary>
    private sealed class HeadsOp : Op
    {
        public override string Name => "heads";

        public override string Title => "x as it is";

        public override IReadOnlyList<OpArgument> Arguments { get; } = [new("x", "B", "4*H*D"), new("r", "H", "4*D", "D"), new("state", "4", "H*D")];

        public override IReadOnlyList<string> Outputs => ["y"];

        protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => new() { ["y"] = inputs["x"].clone() };
    }
}
