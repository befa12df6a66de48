using Zoo.Configuration;
using Zoo.Host.Tasks;
using Zoo.Tasks;

namespace Zoo.Tests.Tasks;

/// <summary>docs/tasks.md says of every task what the task says of itself; Conformance compares that with the generator.</summary>
public sealed class TasksPageTests
{
    private static readonly Lazy<string> Page = new(() => File.ReadAllText(
        Path.Combine(ZooProcess.Folder, "..", "..", "..", "..", "docs", "tasks.md")));

    private static IEnumerable<TestCaseData> EveryTask => HostTasks.All.Select(task => new TestCaseData(task).SetArgDisplayNames(task.Info.Name));

    [TestCaseSource(nameof(EveryTask))]
    public void Page_OfEveryTask_ShowsItsLiteralRowUnderItsOptions(object task)
    {
        var info = ((ITask)task).Info;
        Assert.That(info.ExampleOptions, Is.Not.Null);
        var sets = string.Join(' ', info.ExampleOptions!.Select(option => $"--set task.{option}"));
        Assert.That(Section(info.Name), Does.Contain($"`{sets}`: `{info.Example}`"));
    }

    [TestCaseSource(nameof(EveryTask))]
    public void Page_OfEveryTask_NamesEveryOption(object task)
    {
        var keys = ConfigJson.Flatten(((ITask)task).Options).Select(option => option.Key).ToList();
        Assert.That(keys.Where(key => !Page.Value.Contains($"`{key}`", StringComparison.Ordinal)), Is.Empty);
    }

    private static string Section(string name)
    {
        var start = Page.Value.IndexOf($"# {name}\n", StringComparison.Ordinal);
        Assert.That(start, Is.GreaterThan(0), $"docs/tasks.md has a section '{name}'");
        var end = Page.Value.IndexOf("\n#", start, StringComparison.Ordinal);
        return end < 0 ? Page.Value[start..] : Page.Value[start..end];
    }
}
