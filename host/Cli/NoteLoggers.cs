using Microsoft.Extensions.Logging;

namespace Zoo.Host.Cli;

/// <summary>What plugins log, as notes: warnings and worse.</summary>
/// <param name="output">Where notes go.</param>
internal sealed class NoteLoggers(Output output) : ILoggerFactory
{
    public ILogger CreateLogger(string categoryName) => new NoteLogger(categoryName, output);

    /// <summary>Other places to log to are not used.</summary>
    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("Zoo's logs go to standard error.");

    public void Dispose()
    {
    }

    private sealed class NoteLogger(string category, Output output) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel is >= LogLevel.Warning and < LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
                return;
            var text = $"{category}: {formatter(state, exception)}{(exception is null ? "" : $" ({exception.Message})")}";
            if (logLevel >= LogLevel.Error)
                output.Error(text);
            else
                output.Note(text);
        }
    }
}
