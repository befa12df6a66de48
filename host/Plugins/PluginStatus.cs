namespace Zoo.Host.Plugins;

/// <summary>What became of a plugin that was found.</summary>
internal enum PluginStatus
{
    /// <summary>Its architectures, ops and tasks are there.</summary>
    Loaded,

    /// <summary>Not used in this run, for a reason that the user can read.</summary>
    Disabled,
}
