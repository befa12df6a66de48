using Zoo.Host.Reports;
using Zoo.Reports;

namespace Zoo.Tests.Reports;

internal sealed class ReportRunTests
{
    private RunSketch _sketch = null!;

    [SetUp]
    public void MakeFolder() => _sketch = new RunSketch();

    [TearDown]
    public void RemoveFolder() => _sketch.Dispose();

    [TestCase("config.json", "{", "the config of a run")]
    [TestCase("config.json", "null", "holds null")]
    [TestCase("config.json", """{"format":1}""", "the config of a run")]
    [TestCase("environment.json", "[1]", "a run's environment")]
    [TestCase("environment.json", """{"a":1,"a":2}""", "a run's environment")]
    [TestCase("metrics.jsonl", "{}\n", "line 1")]
    [TestCase("metrics.jsonl", "\u0000\u0001binary\n\n", "line 1")]
    [TestCase("metrics.jsonl", "[1]\n", "line 1")]
    [TestCase("metrics.jsonl", "{\"event\":\"step\",\"step\":1}\n{\"event\":\"step\",\"step\":\"two\"}\n", "line 2")]
    [TestCase("metrics.jsonl", "{\"event\":\"step\",\"step\":-1}\n", "line 1")]
    [TestCase("metrics.jsonl", "{\"event\":\"eval\",\"step\":1,\"metrics\":[]}\n", "line 1")]
    [TestCase("metrics.jsonl", "{\"event\":\"\\ud800\",\"step\":1}\n", "line 1")]
    [TestCase("metrics.jsonl", "{\"event\":\"step\",\"step\":1,\"step\":2}\n", "line 1")]
    [TestCase("report.json", "{", "a run's report")]
    [TestCase("report.json", """{"format":2,"step":1,"items":[]}""", "format 2")]
    [TestCase("report.json", """{"step":1,"items":[null]}""", "an item is null")]
    [TestCase("report.json", """{"step":1,"items":[{"kind":"video","title":"x"}]}""", "a run's report")]
    [TestCase("report.json", """{"step":1,"items":[{"title":"x","text":"y"}]}""", "a run's report")]
    [TestCase("report.json", """{"step":1,"items":[{"kind":"matrix","title":"x","row_title":"r","column_title":"c","labels":["a"],"counts":[[1,2]]}]}""", "1 rows of 1 counts")]
    [TestCase("report.json", """{"step":1,"items":[{"kind":"matrix","title":"x","row_title":"r","column_title":"c","labels":["a"],"counts":[[-1]]}]}""", "1 rows of 1 counts")]
    [TestCase("report.json", """{"step":1,"items":[{"kind":"matrix","title":"x","row_title":"r","column_title":"c","labels":[null],"counts":[[1]]}]}""", "null")]
    [TestCase("report.json", """{"step":1,"items":[{"kind":"images","title":"x","height":2,"width":2,"images":[{"caption":"c","pixels":"AAAA"}]}]}""", "2 × 2 pixels")]
    [TestCase("report.json", """{"step":1,"items":[{"kind":"images","title":"x","height":2000000000,"width":2000000000,"images":[]}]}""", "images of")]
    [TestCase("report.json", """{"step":1,"items":[{"kind":"plot","title":"x","x_title":"r","y_title":"c","curves":[{"name":"n","x":[1],"y":[1,2]}]}]}""", "as many x as y")]
    [TestCase("report.json", """{"step":1,"items":[{"kind":"plot","title":"x","x_title":"r","y_title":"c","curves":[{"name":null,"x":[],"y":[]}]}]}""", "a run's report")]
    public void Read_MalformedFile_SaysWhichAndWhy(string file, string content, string expected)
    {
        var path = Path.Combine(_sketch.Write("run"), file);
        File.WriteAllText(path, content);
        Assert.That(() => ReportRun.Read(Path.GetDirectoryName(path)!),
            Throws.InstanceOf<UserException>().With.Message.Contains(path).And.Message.Contains(expected));
    }

    [Test]
    public void Read_ItemsOfEveryKind_ComeBackAsTheyWere()
    {
        var plot = new PlotItem("p", "x", "y", [new("c", [1, 2], [3, double.NaN]) { Group = "g" }]) { LogY = true };
        var path = _sketch.Write("run", details: [.. RunSketch.Details(), plot, new TextItem("t", "words")]);
        var items = ReportRun.Read(path).Details!.Items;

        Assert.That(items.Select(i => i.GetType().Name), Is.EqualTo(["MatrixItem", "ImageGridItem", "PlotItem", "TextItem"]));
        Assert.That(((MatrixItem)items[0]).Counts[1][1], Is.EqualTo(1234));
        Assert.That(((ImageGridItem)items[1]).Images[0].Pixels, Is.EqualTo(new byte[] { 0, 50, 100, 150, 200, 255 }));
        Assert.That(((PlotItem)items[2]).Curves[0].Y, Is.EqualTo([3, double.NaN]));
        Assert.That(((PlotItem)items[2]).LogY, Is.True);
    }
}
