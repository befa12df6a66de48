using System.Diagnostics;

namespace Zoo.Tests.ThirdParty;

/// <summary>Runs bash as somebody who has .NET and a built Zoo, and nothing else of this repository.</summary>
internal static class Shell
{
    /// <summary>Runs a script. It writes to files, not to us: a build server that it leaves behind would keep a pipe open.</summary>
    /// <param name="script">A file.</param>
    /// <param name="folder">Where it starts.</param>
    /// <param name="home">A folder for the user's own files: plugins of the machine's user must not take part.</param>
    /// <returns>The exit code.</returns>
    public static int Run(string script, string folder, string home)
    {
        var start = new ProcessStartInfo("bash", [script]) { WorkingDirectory = folder };
        var inherited = start.Environment.Keys
            .Where(key => key.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase) || key.StartsWith("ZOO_", StringComparison.Ordinal)
                || key.StartsWith("VSTEST", StringComparison.Ordinal))
            .Where(key => key != "ZOO_LIBTORCH")
            .ToList();
        foreach (var key in inherited)
            start.Environment.Remove(key);   // `dotnet test` sets MSBuild's, the developer Zoo's
        start.Environment["ZOO_REPO"] = Checkout.Root;
        start.Environment["PATH"] = Checkout.Program + Path.PathSeparator + start.Environment["PATH"];
        start.Environment["XDG_DATA_HOME"] = home;
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";   // no build process may outlive the test's folder
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";

        using var process = Process.Start(start)!;
        if (!process.WaitForExit(TimeSpan.FromMinutes(10)))
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            return -1;
        }
        return process.ExitCode;
    }
}
