namespace Zoo.Tests.Tasks;

/// <summary>`zoo show TASK` and the tasks of `zoo list`.</summary>
public sealed class ShowTaskTests
{
    [Test]
    public void Show_Task_SaysWhatItIsAndItsOptions()
    {
        var outcome = ZooProcess.Run(["show", "cycle-navigation"]);
        Assert.That((outcome.ExitCode, outcome.Error), Is.EqualTo((0, "")));
        Assert.That(outcome.Output, Does.StartWith("cycle-navigation: Where on a cycle of five places do these steps end?"));
        foreach (var part in new[] { "- + - + = + + - = + +→3", "(--set task.length=12 --set task.min_length=6)", "places", "test_length", "1/5" })
            Assert.That(outcome.Output, Does.Contain(part));
    }

    [Test]
    public void Show_TaskAsJson_IsOneObject()
    {
        var record = ZooProcess.Run(["show", "mqar", "--json"]).Records.Single();
        Assert.That(record["task"]!.GetValue<string>(), Is.EqualTo("mqar"));
        Assert.That(record["options"]!["vocab_size"]!.GetValue<int>(), Is.EqualTo(256));
        Assert.That(record["example"]!.GetValue<string>(), Is.EqualTo("4 7 1 6 0 0 0 0 4→7 0 0 0 0 0 1→6"));
    }

    [Test]
    public void Show_TaskWithAModelsOption_IsRefused()
    {
        var outcome = ZooProcess.Run(["show", "parity", "--preset", "large"]);
        Assert.That((outcome.ExitCode, outcome.Error.Trim()), Is.EqualTo((2, "--preset: parity is a task; it is shown as it is.")));
    }

    [Test]
    public void List_ForPeople_NamesTheTasksOfEachKind() =>
        Assert.That(ZooProcess.Run(["list"]).Output, Does.Contain("Tasks for vector-sequence: permuted-mnist, sequential-mnist"));
}
