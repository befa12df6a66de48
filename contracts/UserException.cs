namespace Zoo;

/// <summary>
/// The user's input cannot be used: a name, an option, a config, a file. The message is for the user; the host prints it and exits with 2.
/// </summary>
public class UserException(string message, Exception? inner = null) : Exception(message, inner);
