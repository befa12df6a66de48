namespace Zoo.Host.Plugins;

/// <summary>A plugin cannot be used; the message is the reason, for the user, and follows "is disabled:".</summary>
internal sealed class PluginRefusedException(string reason, Exception? inner = null) : Exception(reason, inner);
