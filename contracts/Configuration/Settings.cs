namespace Zoo.Configuration;

/// <summary>
/// Values bound from JSON by property names: a model's config, a task's options, training settings. Properties are `init`, carry their
/// key as [JsonPropertyName], and are plain types, lists of them, or further <see cref="Settings"/> with a constructor without parameters
/// and lists of those. A property that cannot be null refuses null. A property without a setter is no key. A type with a JSON converter of its own
/// says in a [Description] what a value must be: "a list of blocks".
/// </summary>
public abstract record Settings
{
    /// <summary>What is wrong with these values, one sentence each: the key, the value, what it must be.</summary>
    /// <remarks>Those of records inside are asked for by themselves: <see cref="ConfigJson.Problems(Settings)"/>.</remarks>
    public virtual IEnumerable<string> Problems() => [];
}
