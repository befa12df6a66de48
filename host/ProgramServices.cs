using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Zoo.Host.Cli;
using Zoo.Host.Plugins;
using Zoo.Host.Tasks;

namespace Zoo.Host;

/// <summary>The program's services: output, plugins and the catalog of what they bring, each made when it is first asked for.</summary>
internal static class ProgramServices
{
    /// <summary>Builds them for a command line. Dispose the result: plugins may hold resources.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="interrupt">Stays the caller's.</param>
    public static IHost Build(ParseResult parsed, Interrupt interrupt)
    {
        // No defaults: they read configuration files of the current folder and cost a tenth of a second.
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true, ApplicationName = "zoo" });
        var output = new Output { Json = parsed.GetValue(GlobalOptions.Json), Quiet = parsed.GetValue(GlobalOptions.Quiet) };
        interrupt.Note = output.Note;
        builder.Services.AddSingleton(output);
        builder.Services.AddSingleton(services => LoadPlugins(parsed, services.GetRequiredService<Output>()));
        builder.Services.AddSingleton(services => LoadCatalog(services.GetRequiredService<PluginCatalog>()));
        builder.Services.AddSingleton(interrupt);
        builder.Services.AddSingleton<Session>();
        return builder.Build();
    }

    private static PluginCatalog LoadPlugins(ParseResult parsed, Output output)
    {
        var variable = Environment.GetEnvironmentVariable(PluginFolders.Variable);
        var folders = PluginFolders.Find(parsed.GetValue(GlobalOptions.Plugins) ?? [], variable);
        return PluginCatalog.Load(new PluginSearch(folders)
        {
            HostTasks = [.. HostTasks.All.Select(t => t.Info.Name)],
            Loggers = new NoteLoggers(output),
        });
    }

    private static Catalog LoadCatalog(PluginCatalog plugins) =>
        new(plugins.Architectures, [.. HostTasks.All, .. plugins.Tasks], plugins.Ops, [.. plugins.Disabled.Select(p => p.Name)], plugins.Recipes,
            plugins.Plugins.Select(p => Path.GetDirectoryName(p.Path)!));
}
