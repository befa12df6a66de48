using System.Collections;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Zoo.Configuration;

/// <summary>Binds JSON to <see cref="Settings"/> records and back. Every problem is found before any is reported.</summary>
public static class ConfigJson
{
    private static readonly JsonSerializerOptions Options = new()
    {
        WriteIndented = true,
        IgnoreReadOnlyProperties = true,   // derived values, and overrides of what the base record ignores
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };

    /// <summary>The record's values with those of <paramref name="values"/> over them.</summary>
    /// <param name="basis">Where the values that are not given come from; stays as it is.</param>
    /// <param name="values">Keys as the record names them, nested where it nests.</param>
    /// <param name="subject">Whose config it is, for messages.</param>
    /// <exception cref="ConfigException">A key is unknown, a value of the wrong type, or the result reports problems.</exception>
    public static T Bind<T>(T basis, JsonObject values, string subject)
        where T : Settings
    {
        var problems = new List<string>();
        var merged = Write(basis);
        Merge(basis.GetType(), merged, values, "", problems);
        Settings? bound = null;
        if (problems.Count == 0)
        {
            try
            {
                bound = (Settings)merged.Deserialize(basis.GetType(), Options)!;
            }
            catch (JsonException e)
            {
                problems.Add(e.Message);
            }
        }
        if (bound is not null)
            problems.AddRange(bound.Problems());
        return problems.Count == 0 ? (T)bound! : throw new ConfigException(subject, problems);
    }

    /// <summary>The record as JSON, keys as upstream has them.</summary>
    public static JsonObject Write(Settings settings) => JsonSerializer.SerializeToNode(settings, settings.GetType(), Options)!.AsObject();

    /// <summary>The record's keys with their values, nested ones as "a.b", in order of declaration: for `zoo show`.</summary>
    public static IEnumerable<KeyValuePair<string, JsonNode?>> Flatten(Settings settings) => Flatten(Write(settings), "");

    /// <summary>Sets "a.b" in nested objects, made where they are missing.</summary>
    public static void Set(JsonObject target, string path, JsonNode? value)
    {
        var keys = path.Split('.');
        foreach (var key in keys[..^1])
        {
            if (target[key] is not JsonObject inner)
                target[key] = inner = [];
            target = inner;
        }
        target[keys[^1]] = value;
    }

    /// <summary>Whether "a.b" is there.</summary>
    public static bool Has(JsonObject target, string path)
    {
        JsonNode? node = target;
        foreach (var key in path.Split('.'))
        {
            if (node is not JsonObject inner || !inner.TryGetPropertyValue(key, out node))
                return false;
        }
        return true;
    }

    /// <summary>A value as a user types it: JSON, or plain text where it is no JSON.</summary>
    public static JsonNode? ParseValue(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return JsonValue.Create(text);
        }
    }

    private static IEnumerable<KeyValuePair<string, JsonNode?>> Flatten(JsonObject values, string prefix)
    {
        foreach (var (key, value) in values)
        {
            if (value is JsonObject inner)
            {
                foreach (var nested in Flatten(inner, $"{prefix}{key}."))
                    yield return nested;
            }
            else
            {
                yield return new(prefix + key, value);
            }
        }
    }

    private static void Merge(Type type, JsonObject target, JsonObject values, string prefix, List<string> problems)
    {
        var properties = Properties(type);
        var ignored = type.GetCustomAttributes<IgnoredKeysAttribute>(inherit: true).SelectMany(a => a.Keys).ToHashSet();
        foreach (var (key, value) in values)
        {
            if (ignored.Contains(key))
                continue;
            if (!properties.TryGetValue(key, out var property))
            {
                problems.Add($"'{prefix}{key}' is no key of it.{Names.DidYouMean(key, properties.Keys)}");
                continue;
            }
            if (typeof(Settings).IsAssignableFrom(property) && value is JsonObject inner)
            {
                if (target[key] is not JsonObject nested)
                    target[key] = nested = Write((Settings)Activator.CreateInstance(property)!);
                Merge(property, nested, inner, $"{prefix}{key}.", problems);
                continue;
            }
            try
            {
                _ = value.Deserialize(property, Options);
                if (value is null && property.IsValueType && Nullable.GetUnderlyingType(property) is null)
                    throw new JsonException();
                target[key] = value?.DeepClone();
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
            {
                problems.Add($"'{prefix}{key}' is {value?.ToJsonString() ?? "null"}; it must be {Describe(property)}.");
            }
        }
    }

    private static Dictionary<string, Type> Properties(Type type) => type
        .GetProperties(BindingFlags.Instance | BindingFlags.Public)
        .Where(p => p.CanWrite && p.GetCustomAttribute<JsonIgnoreAttribute>() is null)
        .ToDictionary(p => p.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name ?? p.Name, p => p.PropertyType);

    private static string Describe(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type.IsEnum)
            return "one of " + string.Join(", ", Enum.GetNames(type).Select(name => MemberName(type, name)));
        if (type == typeof(bool))
            return "true or false";
        if (type == typeof(int) || type == typeof(long))
            return "a whole number";
        if (type == typeof(double) || type == typeof(float))
            return "a number";
        if (type == typeof(string))
            return "text";
        if (typeof(Settings).IsAssignableFrom(type))
            return "an object";
        return typeof(IEnumerable).IsAssignableFrom(type) ? "a list" : $"a {type.Name}";
    }

    private static string MemberName(Type enumType, string name) =>
        enumType.GetField(name)!.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()?.Name
        ?? JsonNamingPolicy.SnakeCaseLower.ConvertName(name);
}
