using System.Diagnostics;
using System.Text.Json.Nodes;
using Zoo.Host;

namespace Zoo.Tests;

/// <summary>The real program, run as users run it.</summary>
internal static class ZooProcess
{
    /// <summary>The folder of the program as `dotnet build` makes it, in the configuration that the tests were built in.</summary>
    public static string Folder { get; } = FindFolder();

    /// <summary>Runs `zoo` to its end.</summary>
    /// <param name="arguments">Verb and options.</param>
    /// <param name="workingDirectory">The tests' own folder unless given.</param>
    /// <param name="environment">Variables to set; null removes one.</param>
    /// <param name="program">Another folder with the program; <see cref="Folder"/> unless given.</param>
    public static Outcome Run(
        IEnumerable<string> arguments, string? workingDirectory = null, IReadOnlyDictionary<string, string?>? environment = null,
        string? program = null)
    {
        using var process = Process.Start(Command(arguments, workingDirectory, environment, program))!;
        return Ended(process, process.StandardError.ReadToEndAsync());
    }

    /// <summary>Runs `zoo` and sends it signals.</summary>
    /// <param name="arguments">Verb and options.</param>
    /// <param name="ready">Returns when it is time for them; gets the process, whose standard error is taken.</param>
    /// <param name="signals">Their numbers; the next one comes a moment after.</param>
    /// <param name="afterwards">What to do when they have come.</param>
    public static Outcome Signalled(IEnumerable<string> arguments, Action<Process> ready, int[] signals, Action? afterwards = null)
    {
        using var process = Process.Start(Command(arguments, workingDirectory: null, environment: null, program: null))!;
        var errors = process.StandardError.ReadToEndAsync();
        ready(process);
        foreach (var signal in signals)
        {
            Assert.That(NativeMethods.Kill(process.Id, signal), Is.Zero);
            Thread.Sleep(300);   // the process hears of it on a thread of its own
        }
        afterwards?.Invoke();
        var outcome = Task.Run(() => Ended(process, errors));
        if (!outcome.Wait(TimeSpan.FromMinutes(1)))
        {
            process.Kill();
            Assert.Fail($"zoo goes on a minute after it was asked to end. It said: {errors.Result}");
        }
        return outcome.Result;
    }

    /// <summary>Runs a line of bash: limits and folders that the program meets.</summary>
    public static Outcome Shell(string command)
    {
        var start = new ProcessStartInfo("/bin/bash") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(command);
        start.Environment.Remove("ZOO_PLUGINS");
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";   // its double mapping is a file, and the limit counts it
        using var process = Process.Start(start)!;
        return Ended(process, process.StandardError.ReadToEndAsync());
    }

    private static ProcessStartInfo Command(
        IEnumerable<string> arguments, string? workingDirectory, IReadOnlyDictionary<string, string?>? environment, string? program)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory ?? AppContext.BaseDirectory,
        };
        start.ArgumentList.Add(Path.Combine(program ?? Folder, "zoo.dll"));
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        start.Environment.Remove("ZOO_PLUGINS");
        // A plugin folder of whoever runs the tests must not take part. The program keeps its patched native library here.
        start.Environment["XDG_DATA_HOME"] = Path.Combine(AppContext.BaseDirectory, "user-data");
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
            start.Environment[name] = value;
        return start;
    }

    private static Outcome Ended(Process process, Task<string> errors)
    {
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new Outcome(process.ExitCode, output, errors.Result);
    }

    private static string FindFolder()
    {
        var configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Zoo.sln")))
                return Path.Combine(folder.FullName, "host", "bin", configuration, "net10.0");
        }
        throw new DirectoryNotFoundException($"No folder above {AppContext.BaseDirectory} holds Zoo.sln.");
    }

    /// <summary>How a run ended.</summary>
    internal sealed record Outcome(int ExitCode, string Output, string Error)
    {
        /// <summary>Standard output as JSON lines.</summary>
        public IReadOnlyList<JsonObject> Records =>
            [.. Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!.AsObject())];
    }
}
