using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Microsoft.Extensions.DependencyInjection;
using Zoo.Files;
using Zoo.Host.Cli;
using Zoo.Host.Plugins;
using Zoo.Host.Training;

namespace Zoo.Host;

/// <summary>Parses the command line, runs the verb, and turns what went wrong into a sentence and an exit code.</summary>
internal static class Program
{
    /// <summary>The verbs, in the order of the help.</summary>
    private static readonly ZooCommand[] Verbs =
    [
        new ListCommand(), new ShowCommand(), new TrainCommand(), new EvalCommand(), new GenerateCommand(), new ImportCommand(),
        new ExportCommand(), new VerifyCommand(), new BenchCommand(), new ReproduceCommand(), new ReportCommand(), new PluginsCommand(), new DoctorCommand(),
    ];

    public static int Main(string[] args)
    {
        using var interrupt = new Interrupt();   // before all else: a command that has not come far ends with a sentence, too
        var root = BuildRoot();
        var parsed = root.Parse(args);
        if ((parsed.Errors.Count > 0 || UnknownOptions(parsed).Count > 0) && parsed.Action is not HelpAction)
            return args.Length == 0 ? root.Parse("--help").Invoke() : ReportParseErrors(parsed);
        if (parsed.CommandResult.Command is not ZooCommand verb || parsed.Action != verb.Action)
            return parsed.Invoke();   // --help, --version, completion

        using var services = ProgramServices.Build(parsed, interrupt);
        var session = services.Services.GetRequiredService<Session>();
        return Guard(session, () => verb.Run(parsed, session));
    }

    private static RootCommand BuildRoot()
    {
        var root = new RootCommand("Zoo trains, evaluates, verifies and benchmarks neural-network architectures that come as plugins.")
        {
            GlobalOptions.Plugins, GlobalOptions.Json, GlobalOptions.Quiet,
        };
        foreach (var version in root.Options.OfType<VersionOption>())
            version.Recursive = true;
        foreach (var verb in Verbs)
        {
            verb.SetAction(_ => ExitCode.Done);   // run by Main, which knows the session; an action makes the parser accept the verb
            root.Add(verb);
        }
        return root;
    }

    private static int Guard(Session session, Func<int> verb)
    {
        var output = session.Output;
        try
        {
            return verb();
        }
        catch (UserException e)
        {
            output.Error(e.Message);
            return ExitCode.BadInput;
        }
        catch (Exception e) when (session.LoadedPlugins?.Explain(e) is not null)
        {
            var sentence = session.LoadedPlugins.Explain(e)!;
            output.Error(sentence.Message);
            return sentence is EnvironmentException ? ExitCode.BadEnvironment : ExitCode.BadInput;
        }
        catch (Exception e) when (e is EnvironmentException or DllNotFoundException)
        {
            output.Error(e.Message);
            return ExitCode.BadEnvironment;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            output.Error($"The file system refused: {FileTrouble.Words(e)}");
            return ExitCode.BadEnvironment;
        }
        catch (Exception e) when (MemoryShortage.Caused(e))
        {
            output.Error(MemoryShortage.Error("", "A smaller batch, length or preset needs less: --batch-size, --length, --preset.", e).Message);
            return ExitCode.BadEnvironment;
        }
        catch (OperationCanceledException)
        {
            output.Error("Interrupted.");
            return ExitCode.Interrupted;
        }
        catch (Exception e)   // the last resort: a sentence with the place, where .NET would print pages and leave a core dump
        {
            output.Error(PluginBlame.Own(e));
            return ExitCode.CheckFailed;
        }
    }

    /// <summary>
    /// Words that look like options and that the parser took for a model's or a run's name, as the verb has no option of that name. A name that begins so is
    /// given after a "--" of its own.
    /// </summary>
    private static List<string> UnknownOptions(ParseResult parsed) => parsed.Tokens.Any(t => t.Type == TokenType.DoubleDash)
        ? []
        : [.. parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(a => a.Tokens).Select(t => t.Value).Where(word => word.Length > 1 && word[0] == '-').Distinct()];

    private static int ReportParseErrors(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        var options = command.Options.Concat(parsed.RootCommandResult.Command.Options).Select(o => o.Name).Distinct().ToList();
        var verbs = Verbs.Select(v => v.Name).ToList();
        // Without a verb the parser complains of every word; the first one is what should have been a verb.
        IEnumerable<string> sentences = UnknownOptions(parsed) is { Count: > 0 } unknown
            ? unknown.Select(option => $"There is no option '{option}'.{Names.DidYouMean(option, options)}")
            : command is not ZooCommand && parsed.UnmatchedTokens is [var word, ..] && !word.StartsWith('-')
            ? [$"There is no command '{word}'.{Names.DidYouMean(word, verbs)}"]
            : parsed.Errors.Select(e => e.Message).Distinct().Select(Hinted);
        foreach (var sentence in sentences)
            Console.Error.WriteLine(sentence);
        Console.Error.WriteLine($"`zoo {(command is ZooCommand ? command.Name + " " : "")}--help` lists what there is.");
        return ExitCode.BadInput;

        string Hinted(string error) => error + (parsed.UnmatchedTokens.FirstOrDefault(t => error.Contains($"'{t}'", StringComparison.Ordinal)) is { } unmatched
            ? Names.DidYouMean(unmatched, unmatched.StartsWith('-') ? options : verbs) : "");
    }
}
