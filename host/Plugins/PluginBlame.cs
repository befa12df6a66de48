using System.Diagnostics;
using System.Runtime.Loader;
using Zoo.Host.Training;

namespace Zoo.Host.Plugins;

/// <summary>Which plugin an exception comes from, when a plugin's code fails in use rather than when it is loaded.</summary>
internal static class PluginBlame
{
    /// <summary>
    /// An exception with a sentence that names the plugin and keeps the original inside; null when the original is already a sentence for
    /// the user, memory ran out, or no plugin has to do with it.
    /// </summary>
    public static Exception? Explain(Exception exception, IReadOnlyList<LoadedPlugin> plugins)
    {
        if (exception is UserException or EnvironmentException or OperationCanceledException || MemoryShortage.Caused(exception))
            return null;
        for (Exception? e = exception; e is not null; e = e.InnerException)
        {
            if (OfStack(e, plugins) is var (plugin, place))
                return Sentence(exception, plugin, place);
        }
        return null;
    }

    private static Exception Sentence(Exception exception, LoadedPlugin plugin, string place)
    {
        var cause = exception;
        while (cause.InnerException is { } inner)
            cause = inner;
        var start = $"Plugin '{plugin.Name}' {plugin.Version} failed in {place}.";
        return cause switch
        {
            DllNotFoundException => new EnvironmentException(
                $"{start} A native library is missing or does not load: {FirstLine(cause.Message)}", exception),
            MissingMemberException or TypeLoadException => new UserException(
                $"{start} It uses what this host's Zoo.Contracts {VersionRule.HostContract} does not have: {cause.Message.TrimEnd('.')}. " +
                $"It was built against Zoo.Contracts {plugin.Contract}; build it again for this host.", exception),
            FileNotFoundException { FileName: { } name } when name.Contains(", Version=", StringComparison.Ordinal) => new UserException(
                $"{start} {FirstLine(cause.Message)} Copy all that the plugin's build gave into '{Path.GetDirectoryName(plugin.Path)}'.", exception),
            _ => new UserException($"{start} {cause.GetType().Name}: {FirstLine(cause.Message)} Tell its author; the plugin is '{plugin.Path}'.", exception),
        };
    }

    /// <summary>The sentence for an exception that nobody foresaw, with the innermost frame that is the host's or the contract's.</summary>
    public static string Own(Exception exception)
    {
        var cause = exception;
        while (cause.InnerException is { } inner)
            cause = inner;
        var place = Frames(cause).FirstOrDefault(f => f.Type.Assembly == typeof(PluginBlame).Assembly || f.Type.Assembly == typeof(UserException).Assembly).Place;
        return $"Zoo failed{(place is null ? "" : $" in {place}")}. {cause.GetType().Name}: {FirstLine(cause.Message)} This is a mistake in Zoo itself; please report it with the command.";
    }

    /// <summary>The innermost frame that is a plugin's, dependencies of its own included.</summary>
    private static (LoadedPlugin Plugin, string Place)? OfStack(Exception exception, IReadOnlyList<LoadedPlugin> plugins)
    {
        foreach (var (type, place) in Frames(exception))
        {
            var context = AssemblyLoadContext.GetLoadContext(type.Assembly);
            if (plugins.FirstOrDefault(p => AssemblyLoadContext.GetLoadContext(p.Assembly) == context) is { } plugin)
                return (plugin, place);
        }
        return null;
    }

    /// <summary>The methods that an exception came through, the innermost first.</summary>
    private static IEnumerable<(Type Type, string Place)> Frames(Exception exception)
    {
        foreach (var frame in new StackTrace(exception, fNeedFileInfo: true).GetFrames())
        {
            if (frame.GetMethod() is not { DeclaringType: { } type } method)
                continue;
            var line = frame.GetFileLineNumber() is > 0 and var number ? $" (line {number} of {Path.GetFileName(frame.GetFileName())})" : "";
            yield return (type, $"{type.FullName}.{method.Name}{line}");
        }
    }

    private static string FirstLine(string text) => text.Split('\n')[0].TrimEnd('.', '\r') + ".";
}
