using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Zoo.Host.Reports;
using Zoo.Recipes;
using Zoo.Reports;

namespace Zoo.Tests.Reports;

internal sealed partial class HtmlReportTests
{
    private const string Hostile = "\"><script>alert('x')</script><img src=https://evil.example/x.png onerror=alert(1)> & \u0007 \u202e \ud800 ]]> --> {{7*7}}";
    private RunSketch _sketch = null!;

    [SetUp]
    public void MakeFolder() => _sketch = new RunSketch();

    [TearDown]
    public void RemoveFolder() => _sketch.Dispose();

    [Test]
    public void ForRuns_OneRun_ShowsWhatTheFolderSays()
    {
        var page = Parse(RunSketch.Html(_sketch.Write("run-a", details: RunSketch.Details())));
        var text = page.Value;

        Assert.That(page.Descendants("h1").Single().Value, Is.EqualTo("tiny on dots"));
        Assert.That(text, Does.Contain("Finished: 200 steps, 4 passes over 50 examples, trained in 0.4 s.").And.Contain("run-a"));
        Assert.That(Cards(page), Does.Contain("5.00 Test error, %").And.Contain("50 Test misses").And.Contain("200 steps"));
        Assert.That(page.Descendants("figcaption").Select(f => f.Value), Is.EqualTo(["Loss", "Test error, held out", "Throughput"]));
        Assert.That(text, Does.Contain("passes over the training data").And.Contain("nested.depth").And.Contain("train.batch_size"));
        Assert.That(text, Does.Contain("Some processor").And.Contain("some_op").And.Contain("1,234 bytes").And.Contain("Evaluations (4)"));
        Assert.That(text, Does.Contain("1,274 of 1,277 right").And.Contain("1 read as 0 (3)"));
        Assert.That(page.Descendants("img").Select(i => i.Attribute("alt")!.Value), Is.EqualTo(["1 read as 0", "0 read as 1"]));
    }

    [Test]
    public void ForRuns_SeveralRuns_NamesThemByWhatDiffersAndMarksIt()
    {
        var page = Parse(RunSketch.Html(
            _sketch.Write("a"),
            _sketch.Write("b", c => c["config"]!["hidden"] = 24),
            _sketch.Write("c", c => (c["config"]!["hidden"], c["seed"]) = (24, 4))));
        var rows = page.Descendants("table").First().Element("tbody")!.Elements("tr").Select(r => r.Element("th")!.Value);

        Assert.That(rows, Is.EqualTo(["hidden 12, seed 3", "hidden 24, seed 3", "hidden 24, seed 4"]));
        Assert.That(page.Descendants("td").Where(t => t.Attribute("class")?.Value.Contains("differs") == true).Select(t => t.Value), Is.EqualTo(["24", "24", "4"]));
        Assert.That(page.Descendants("td").Where(t => t.Attribute("class")?.Value == "number best").Select(t => t.Value), Is.SupersetOf(new[] { "5.00" }));
        Assert.That(page.Value, Does.Contain("All finished. Lowest test error: 5.00 % (hidden 12, seed 3)."));
        foreach (var chart in page.Descendants("svg").Where(s => s.Attribute("data-curves") is not null))
            Assert.That(chart.Descendants("g").Select(g => g.Attribute("class")?.Value).Where(k => k is not null).Distinct(), Is.EqualTo(["k0", "k1", "k2"]));
    }

    [Test]
    public void ForRuns_SameSettingsTwice_AreToldApartByTheirFolders()
    {
        var page = Parse(RunSketch.Html(_sketch.Write("one"), _sketch.Write("two")));
        Assert.That(page.Value, Does.Contain("Every setting is the same in all of them."));
        Assert.That(page.Descendants("summary").Select(s => s.Value.Trim()), Does.Contain("one").And.Contain("two"));
    }

    [Test]
    public void ForRuns_DifferentLosses_ComparesTheirHeightsNowhere()
    {
        var page = Parse(RunSketch.Html(_sketch.Write("a", c => c["config"]!["loss"] = "mse"),
            _sketch.Write("b", c => (c["config"]!["loss"], c["seed"]) = ("cross_entropy", 4), [RunSketch.Step(1, 1), RunSketch.Evaluation(200, 5, 0.001, isFinal: true)])));
        Assert.That(page.Value, Does.Contain("different losses"));
        Assert.That(page.Descendants("td").Where(t => t.Attribute("class")?.Value == "number best").Select(t => t.Value), Has.None.EqualTo("0.001"));
    }

    private static IEnumerable<TestCaseData> Pieces()
    {
        yield return new TestCaseData(new[] { "metrics.jsonl", "environment.json", "checkpoints" }, "No step has been recorded yet").SetArgDisplayNames("config alone");
        yield return new TestCaseData(new[] { "metrics.jsonl" }, "Not finished: 200 of 200 steps so far").SetArgDisplayNames("no metrics");
        yield return new TestCaseData(new[] { "environment.json" }, "Finished").SetArgDisplayNames("no environment");
        yield return new TestCaseData(new[] { "report.json" }, "Finished").SetArgDisplayNames("no details");
    }

    [TestCaseSource(nameof(Pieces))]
    public void ForRuns_PiecesMissing_ShowsTheRest(string[] missing, string expected)
    {
        var path = _sketch.Write("run", details: RunSketch.Details());
        foreach (var piece in missing.Select(p => Path.Combine(path, p)))
        {
            if (File.Exists(piece))
                File.Delete(piece);
            else
                Directory.Delete(piece, recursive: true);
        }
        var other = _sketch.Write("other");
        Assert.That(Parse(RunSketch.Html(path)).Value, Does.Contain(expected));
        Assert.That(Parse(RunSketch.Html(path, other)).Value, Does.Contain("2 runs"));
    }

    [Test]
    public void ForRuns_InterruptedRun_SaysHowFarItCame()
    {
        var path = _sketch.Write("run", metrics: [RunSketch.Step(1, 2), RunSketch.Step(50, null), RunSketch.Step(60, 1), RunSketch.Evaluation(60, 30, 0.5), """{"event":"ste"""]);
        Directory.Delete(Path.Combine(path, "checkpoints"), recursive: true);
        File.WriteAllText(Path.Combine(path, "metrics.jsonl"), File.ReadAllText(Path.Combine(path, "metrics.jsonl")).TrimEnd('\n'));
        var page = Parse(RunSketch.Html(path));
        Assert.That(page.Value, Does.Contain("Not finished: 60 of 200 steps so far."));
        Assert.That(Cards(page), Does.Contain("30.00 Test error, %, so far"));
    }

    [Test]
    public void ForRuns_HostileText_IsEscapedEverywhere()
    {
        var environment = new JsonObject { [Hostile] = Hostile, ["backends"] = new JsonObject { [Hostile] = Hostile } };
        var metrics = new[]
        {
            RunSketch.Step(1, 1), RunSketch.Step(2, 1),
            new JsonObject { ["event"] = "eval", ["step"] = 1, ["metrics"] = new JsonObject { [Hostile] = 1, [Hostile + "_loss"] = 2 } }.ToJsonString(),
            new JsonObject { ["event"] = "eval", ["step"] = 2, ["final"] = true, ["metrics"] = new JsonObject { [Hostile] = 1, [Hostile + "_loss"] = 1 } }.ToJsonString(),
        };
        ReportItem[] details =
        [
            new MatrixItem(Hostile, Hostile, Hostile, [Hostile, "1"], new long[][] { [1, 2], [3, 4] }),
            new ImageGridItem(Hostile, 1, 1, [new(Hostile, [7])]),
            new PlotItem(Hostile, Hostile, Hostile, [new(Hostile, [1, 2], [3, 4]) { Group = Hostile }, new(Hostile, [1, 2], [4, 4]) { Group = Hostile }]),
            new TextItem(Hostile, Hostile),
        ];
        void Poison(JsonObject config)
        {
            foreach (var key in new[] { "model", "preset", "plugin", "plugin_version", "task", "data", "data_path" })
                config[key] = Hostile;
            config["config"] = new JsonObject { [Hostile] = new JsonObject { [Hostile] = new JsonArray(Hostile) } };
            config["task_options"] = new JsonObject { [Hostile] = Hostile };
            config["training"] = new JsonObject { [Hostile] = Hostile };
        }

        var path = _sketch.Write("<script>alert('x')<", Poison, metrics, details, environment);
        var other = _sketch.Write("ordinary");
        foreach (var html in new[] { RunSketch.Html(path), RunSketch.Html(path, other), Recipe(Hostile, details, [ReportRun.Read(path, Hostile), ReportRun.Read(other, Hostile)]) })
        {
            var page = Parse(html);
            Assert.That(page.Descendants("script").Count(), Is.EqualTo(1));
            Assert.That(page.Descendants().SelectMany(e => e.Attributes()).Where(a => a.Name.LocalName.StartsWith("on", StringComparison.OrdinalIgnoreCase)), Is.Empty);
            Assert.That(html, Does.Not.Contain("<script>alert").And.Not.Contain("\u0007").And.Not.Contain("\u202e"));
            Assert.That(page.Value, Does.Contain("<script>alert('x')</script>"), "it is shown, as text");
            AssertNothingOutside(page);
        }
    }

    [Test]
    public void ForRuns_AnyRuns_RefersToNothingOutside()
    {
        var html = RunSketch.Html(_sketch.Write("a", details: RunSketch.Details()), _sketch.Write("b", c => c["seed"] = 4));
        AssertNothingOutside(Parse(html));
        Assert.That(html, Does.Not.Match("https?:|//[a-z]|@import|<link|<iframe|<object|<base"));
        Assert.That(html, Does.Contain("default-src &#39;none&#39;"));
    }

    [Test]
    public void ForRuns_EqualInput_GivesEqualBytes()
    {
        var paths = new[] { _sketch.Write("a", details: RunSketch.Details()), _sketch.Write("b", c => c["seed"] = 4) };
        Assert.That(RunSketch.Html(paths), Is.EqualTo(RunSketch.Html(paths)));
    }

    [Test]
    public void ForRuns_LongConfigAndManyRuns_StaysWellFormed()
    {
        var paths = Enumerable.Range(0, 30).Select(i => _sketch.Write($"run-{i}", c =>
        {
            c["seed"] = i;
            for (var key = 0; key < 300; key++)
                c["config"]!.AsObject()[$"key_{key}"] = new string('x', key);
        })).ToArray();
        var html = RunSketch.Html(paths);
        Assert.That(Parse(html).Descendants("summary").Count(s => s.Value.Trim().StartsWith("seed ", StringComparison.Ordinal)), Is.EqualTo(30));
        Assert.That(html.Length, Is.LessThan(8_000_000));
    }

    [Test]
    public void ForRuns_ExtremeNumbers_NeverLeaveTheDrawing()
    {
        var steps = new double?[] { 1e308, -1e308, 1e-308, 0, null, 5, 5e99, 1e-90, 3 };
        var page = Parse(RunSketch.Html(_sketch.Write("run", metrics: steps.Select((loss, i) => RunSketch.Step(i + 1, loss)))));
        var paths = page.Descendants("path").Select(p => p.Attribute("d")!.Value).ToList();
        Assert.That(paths, Is.Not.Empty);
        Assert.That(paths, Has.None.Contain("NaN").And.None.Contain("∞").And.None.Contain("E"));
        Assert.That(paths.SelectMany(p => NumberPattern().Matches(p)).Select(m => Math.Abs(double.Parse(m.Value))), Is.All.LessThan(3000));
    }

    [Test]
    public void ForRecipe_RowsItemsAndRuns_ShowsThemWithVerdictsAndMeans()
    {
        var runs = new[] { 1, 2 }.Select(seed => ReportRun.Read(_sketch.Write($"r{seed}", c => c["seed"] = seed), "base"))
            .Append(ReportRun.Read(_sketch.Write("s", c => c["seed"] = 1), "shift")).ToList();
        var plot = new PlotItem("Error over time", "steps", "error", [new("seed 1", [1, 10, 100], [9, double.NaN, 3]) { Group = "base" }, new("seed 2", [1, 10, 100], [7, 6, 5]) { Group = "base" }])
        {
            LogX = true,
        };
        var page = Parse(Recipe("ladder", [plot], runs));
        var rows = page.Descendants("table").First().Element("tbody")!.Elements("tr").Select(r => string.Join(" | ", r.Elements().Select(c => c.Value))).ToList();

        Assert.That(rows[0], Is.EqualTo("base | Test error, % | 5.00 | 4.09 | 4.20 ± 0.144.10  4.30 | ✓ reproduced | inside the band"));
        Assert.That(rows[1], Does.Contain("✗ not reproduced"));
        Assert.That(rows[2], Does.Contain("– not attempted"));
        Assert.That(page.Value, Does.Contain("base (mean of 2)").And.Contain("base, seed 2").And.Contain("shift, seed 1"));
        Assert.That(page.Descendants("figcaption").Select(f => f.Value), Does.Contain("Error over time").And.Contain("Test error, %: ours beside the paper's"));
        Assert.That(page.Descendants("text").Select(t => t.Value), Does.Contain("steps (logarithmic)"));
    }

    [Test]
    public void ForRecipe_NoRuns_IsComplete() => AssertNothingOutside(Parse(Recipe("ladder", [], [])));

    [Test]
    public void Palette_TextAndLines_HaveContrastInBothThemes()
    {
        var html = RunSketch.Html(_sketch.Write("run"));
        var dark = html[html.IndexOf("prefers-color-scheme: dark", StringComparison.Ordinal)..html.IndexOf("* { box-sizing", StringComparison.Ordinal)];
        var light = html[..html.IndexOf("prefers-color-scheme: dark", StringComparison.Ordinal)];
        foreach (var theme in new[] { light, dark })
        {
            foreach (var name in new[] { "text", "muted", "good", "fair", "bad", "none" }.Concat(Enumerable.Range(0, ChartWriter.ColorCount).Select(i => $"k{i}")))
            {
                foreach (var ground in new[] { "panel", "page" })
                    Assert.That(Contrast(Color(theme, name), Color(theme, ground)), Is.GreaterThan(4.5), $"{name} on {ground}");
            }
            Assert.That(Contrast(Color(theme, "text"), Color(theme, "mark")), Is.GreaterThan(4.5));
            foreach (var heat in new[] { "ok", "err" })
            {
                var over = Regex.Match(theme, $@"--{heat}: (\d+) (\d+) (\d+);").Groups.Values.Skip(1).Select(g => double.Parse(g.Value)).ToArray();
                var mixed = over.Zip(Color(theme, "panel"), (a, b) => 0.55 * a + 0.45 * b).ToArray();
                Assert.That(Contrast(Color(theme, "text"), mixed), Is.GreaterThan(4.5), heat);
            }
        }
    }

    private static string Recipe(string name, IReadOnlyList<ReportItem> items, IReadOnlyList<ReportRun> runs) => HtmlReport.ForRecipe(
        new RecipeInfo(name, $"The ladder: {name}", $"A paper, {name}") { Claim = $"It goes down, {name}." },
        [
            new("base", "test_error_percent", RecipeVerdict.Reproduced, "inside the band") { Paper = 5, Reference = 4.09, Ours = [4.1, 4.3] },
            new(name, "test_error_percent", RecipeVerdict.NotReproduced, name) { Ours = [2.5] },
            new("more", "test_error_percent", RecipeVerdict.NotAttempted, "needs --data"),
        ], items, runs);

    /// <summary>The page as XML: it must be well-formed, with unique ids and every reference to one resolved.</summary>
    private static XElement Parse(string html)
    {
        Assert.That(html, Does.StartWith("<!DOCTYPE html>\n<html"));
        var page = XDocument.Parse(html["<!DOCTYPE html>".Length..]).Root!;
        var ids = page.Descendants().Attributes("id").Select(a => a.Value).ToList();
        Assert.That(ids, Is.Unique);
        Assert.That(page.Descendants().Attributes("aria-labelledby").SelectMany(a => a.Value.Split(' ')), Is.SubsetOf(ids));
        Assert.That(page.Descendants("svg").Where(s => s.Attribute("role")?.Value == "img" && s.Attribute("aria-label") is null && s.Element("title") is null), Is.Empty);
        Assert.That(page.Descendants("table").Where(t => t.Element("caption") is null), Is.Empty);
        return page;
    }

    /// <summary>No element loads anything: images hold their own bytes, and addresses in styles and attributes stay on the page.</summary>
    private static void AssertNothingOutside(XElement page)
    {
        string[] loading = ["src", "href", "srcset", "data", "action", "formaction", "poster", "background", "cite", "manifest", "ping"];
        foreach (var attribute in page.DescendantsAndSelf().Attributes().Where(a => loading.Contains(a.Name.LocalName.ToLowerInvariant())))
            Assert.That(attribute.Value, Does.StartWith("data:image/png;base64,"), attribute.Parent!.Name.LocalName);
        Assert.That(page.Descendants().Select(e => e.Name.LocalName).Intersect(["link", "iframe", "object", "embed", "use", "image", "foreignObject", "base", "form"]), Is.Empty);
        var styles = page.Descendants("style").Select(s => s.Value).Concat(page.Descendants().Attributes("style").Select(a => a.Value))
            .Concat(page.Descendants().Attributes("clip-path").Select(a => a.Value)).Concat(page.Descendants("script").Select(s => s.Value));
        foreach (var style in styles)
            Assert.That(style, Does.Not.Match(@"https?:|url\((?!#)|@import"));
    }

    private static List<string> Cards(XElement page) => [.. page.Descendants("ul").First(u => u.Attribute("class")?.Value == "cards").Elements("li")
        .Select(c => string.Join(' ', c.Elements("span").Select(s => s.Value)))];

    private static double[] Color(string css, string name)
    {
        var hex = Regex.Match(css, $@"--{name}: #([0-9a-f]{{6}});").Groups[1].Value;
        return [.. Enumerable.Range(0, 3).Select(i => (double)Convert.ToInt32(hex.Substring(2 * i, 2), 16))];
    }

    /// <summary>The ratio of WCAG 2.</summary>
    private static double Contrast(double[] a, double[] b)
    {
        static double Luminance(double[] color) => color.Select(c => c / 255).Select(c => c <= 0.04045 ? c / 12.92 : Math.Pow((c + 0.055) / 1.055, 2.4))
            .Zip([0.2126, 0.7152, 0.0722], (c, w) => c * w).Sum();
        var (x, y) = (Luminance(a), Luminance(b));
        return (Math.Max(x, y) + 0.05) / (Math.Min(x, y) + 0.05);
    }

    [GeneratedRegex(@"-?[0-9.]+")]
    private static partial Regex NumberPattern();
}
