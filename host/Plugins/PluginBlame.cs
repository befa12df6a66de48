using System.Diagnostics;
using System.Runtime.Loader;

namespace Zoo.Host.Plugins;

/// <summary>Which plugin an exception comes from, when a plugin's code fails in use rather than when it is loaded.</summary>
internal static class PluginBlame
{
    /// <summary>
    /// An exception with a sentence that names the plugin and keeps the original inside; null when the original is already a sentence for
    /// the user, or no plugin has to do with it.
    /// </summary>
    public static Exception? Explain(Exception exception, IReadOnlyList<LoadedPlugin> plugins)
    {
        if (exception is UserException or EnvironmentException or OperationCanceledException or OutOfMemoryException)
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

    /// <summary>The innermost frame that is a plugin's, dependencies of its own included.</summary>
    private static (LoadedPlugin Plugin, string Place)? OfStack(Exception exception, IReadOnlyList<LoadedPlugin> plugins)
    {
        foreach (var frame in new StackTrace(exception, fNeedFileInfo: true).GetFrames())
        {
            if (frame.GetMethod() is not { DeclaringType: { } type } method)
                continue;
            var context = AssemblyLoadContext.GetLoadContext(type.Assembly);
            var plugin = plugins.FirstOrDefault(p => AssemblyLoadContext.GetLoadContext(p.Assembly) == context);
            if (plugin is null)
                continue;
            var line = frame.GetFileLineNumber() is > 0 and var number ? $" (line {number} of {Path.GetFileName(frame.GetFileName())})" : "";
            return (plugin, $"{type.FullName}.{method.Name}{line}");
        }
        return null;
    }

    private static string FirstLine(string text) => text.Split('\n')[0].TrimEnd('.', '\r') + ".";
}
