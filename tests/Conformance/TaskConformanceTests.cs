using System.Diagnostics;
using System.Globalization;
using Zoo.Host.Configuration;
using Zoo.Host.Plugins;
using Zoo.Host.Tasks;
using Zoo.Tasks;

namespace Zoo.Tests;

/// <summary>What every installed task promises, the host's and the plugins'. To try your own plugin, set ZOO_PLUGINS to its folder.</summary>
public sealed class TaskConformanceTests
{
    private const int Samples = 70;

    private static readonly Lazy<ILookup<string, string>> OneByOne = new(() => Probe(threads: 1, batch: 1, resumeAt: Samples));
    private static readonly Lazy<ILookup<string, string>> InBatches = new(() => Probe(threads: 2, batch: 32, resumeAt: 45));

    private static IEnumerable<TestCaseData> EveryTask =>
        HostTasks.All.Concat(Installed.Plugins.Tasks).Select(task => new TestCaseData(task).SetArgDisplayNames(task.Info.Name));

    private static IEnumerable<TestCaseData> EveryTaskWithALiteralExample =>
        EveryTask.Where(test => ((ITask)test.Arguments[0]!).Info.ExampleOptions is not null);

    [TestCaseSource(nameof(EveryTask))]
    public void Samples_OtherProcessThreadsBatchesAndAResume_AreTheSame(object task)
    {
        var name = ((ITask)task).Info.Name;
        Assert.That(OneByOne.Value[name].Count(), Is.GreaterThan(Samples), "training and held-out samples were seen");
        Assert.That(InBatches.Value[name].Order(), Is.EqualTo(OneByOne.Value[name].Order()));
    }

    [TestCaseSource(nameof(EveryTaskWithALiteralExample))]
    public void Example_OfATask_IsWhatTheGeneratorGives(object task)
    {
        var info = ((ITask)task).Info;
        using var data = ((ITask)task).Open(new TaskRequest { Options = RunPlanner.ParseSets(info.ExampleOptions!), Seed = 1 });
        using var batch = data.TrainingBatch([0]);
        Assert.That(data.Describe(batch, 0), Is.EqualTo(info.Example));
    }

    /// <summary>The samples that a process of its own sees, by task.</summary>
    private static ILookup<string, string> Probe(int threads, int batch, int resumeAt)
    {
        var configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Zoo.sln")))
            folder = folder.Parent!;
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Path.Combine(folder.FullName, "tests", "TaskProbe", "bin", configuration, "net10.0", "TaskProbe.dll"));
        foreach (var number in new[] { threads, batch, Samples, resumeAt })
            start.ArgumentList.Add(number.ToString(CultureInfo.InvariantCulture));
        string?[] plugins = [Path.Combine(AppContext.BaseDirectory, "plugins"), Environment.GetEnvironmentVariable(PluginFolders.Variable)];
        start.Environment[PluginFolders.Variable] = string.Join(Path.PathSeparator, plugins.Where(p => !string.IsNullOrEmpty(p)));
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var lines = process.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, errors.Result);
        return lines.ToLookup(line => line.Split(' ')[0]);
    }
}
