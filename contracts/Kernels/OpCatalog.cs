namespace Zoo.Kernels;

/// <summary>The ops of every installed plugin, by name.</summary>
public sealed class OpCatalog
{
    /// <summary>No ops.</summary>
    public static OpCatalog Empty { get; } = new([]);

    private readonly SortedDictionary<string, Op> _ops = new(StringComparer.Ordinal);

    /// <summary>A catalog of <paramref name="ops"/>.</summary>
    /// <exception cref="UserException">Two have one name.</exception>
    public OpCatalog(IEnumerable<Op> ops)
    {
        foreach (var op in ops)
        {
            if (!_ops.TryAdd(op.Name, op))
                throw new UserException($"Two installed plugins have an op named '{op.Name}'. Remove one of them.");
        }
        foreach (var name in _ops.Values.SelectMany(op => op.CaseNames.Distinct()).GroupBy(name => name).Where(g => g.Count() > 1).Select(g => g.Key))
            throw new UserException($"Two installed ops answer for recorded cases named '{name}'. Remove one of their plugins.");
    }

    /// <summary>Every op, by name.</summary>
    public IReadOnlyCollection<Op> All => _ops.Values;

    /// <summary>The op of that name, or null.</summary>
    public Op? Find(string name) => _ops.GetValueOrDefault(name);

    /// <summary>The op that recorded cases of that name are for, or null.</summary>
    public Op? FindForCase(string name) => All.FirstOrDefault(op => op.CaseNames.Contains(name));

    /// <summary>The op of that name.</summary>
    /// <exception cref="UserException">No installed plugin has it.</exception>
    public Op Get(string name) => Find(name)
        ?? throw new UserException($"No installed plugin has an op named '{name}'.{Names.DidYouMean(name, _ops.Keys)}");
}
