using System.CommandLine;

namespace Zoo.Host.Cli;

/// <summary>A verb: options in, report and exit code out. One class a verb, one file a class.</summary>
/// <param name="name">What the user types.</param>
/// <param name="description">One line for the help.</param>
internal abstract class ZooCommand(string name, string description) : Command(name, description)
{
    /// <summary>Does it.</summary>
    /// <param name="arguments">The parsed command line.</param>
    /// <param name="session">Output and installed plugins.</param>
    /// <returns>An <see cref="ExitCode"/>.</returns>
    /// <exception cref="UserException">The user's input was wrong: exit code 2.</exception>
    /// <exception cref="EnvironmentException">The environment lacks something: exit code 3.</exception>
    /// <exception cref="OperationCanceledException">Interrupted: exit code 130.</exception>
    public abstract int Run(ParseResult arguments, Session session);
}
