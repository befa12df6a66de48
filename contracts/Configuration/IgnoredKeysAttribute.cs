namespace Zoo.Configuration;

/// <summary>Keys of the original project's config that are accepted and have no effect here.</summary>
/// <param name="keys">The keys.</param>
[AttributeUsage(AttributeTargets.Class)]
public sealed class IgnoredKeysAttribute(params string[] keys) : Attribute
{
    /// <summary>The keys.</summary>
    public IReadOnlyList<string> Keys { get; } = keys;
}
