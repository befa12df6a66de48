namespace Zoo.Host.Cli;

/// <summary>What a command works with: where its words go, and what is installed, loaded when it is first asked for.</summary>
internal sealed class Session(Output output, Func<Catalog> loadCatalog)
{
    private Catalog? _catalog;

    /// <summary>Where the command's words go.</summary>
    public Output Output { get; } = output;

    /// <summary>What is installed.</summary>
    public Catalog Catalog => _catalog ??= loadCatalog();
}
