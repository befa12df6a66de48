namespace Zoo.Files;

/// <summary>A file is missing, truncated, foreign or malformed. The message is one sentence for the user: which file, what, what to do.</summary>
public sealed class BadFileException(string message, Exception? inner = null) : UserException(message, inner);
