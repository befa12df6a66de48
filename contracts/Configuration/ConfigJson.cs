using System.Collections;
using System.ComponentModel;
using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Zoo.Configuration;

/// <summary>Binds JSON to <see cref="Settings"/> records and back. Every problem is found before any is reported.</summary>
public static class ConfigJson
{
    private static readonly JsonSerializerOptions Options = new()
    {
        WriteIndented = true,
        IgnoreReadOnlyProperties = true,   // derived values are no keys, whether or not they say [JsonIgnore]
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
        TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { LeaveOutDerivedValues } },
    };

    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

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
        Merge(basis.GetType(), merged, values, "", problems);   // what is not given is known to fit
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
            problems.AddRange(Problems(bound));
        return problems.Count == 0 ? (T)bound! : throw new ConfigException(subject, problems);
    }

    /// <summary>The record as JSON, keys as upstream has them.</summary>
    public static JsonObject Write(Settings settings) => JsonSerializer.SerializeToNode(settings, settings.GetType(), Options)!.AsObject();

    /// <summary>The record's keys with their values, nested ones as "a.b", in order of declaration: for `zoo show`.</summary>
    public static IEnumerable<KeyValuePair<string, JsonNode?>> Flatten(Settings settings) => Flatten(Write(settings));

    /// <summary>The keys of an object with their values, nested ones as "a.b", in order. An object without keys is a value.</summary>
    public static IEnumerable<KeyValuePair<string, JsonNode?>> Flatten(JsonObject values) => Flatten(values, "");

    /// <summary>What is wrong with a record's values and with those of the records inside it, which say where they are.</summary>
    public static IEnumerable<string> Problems(Settings settings) => Problems(settings, "");

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
            var node = JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false });
            _ = node?.ToJsonString(Readable);   // a \u escape that is half a surrogate pair throws here, or wherever it is first looked at
            return node;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return JsonValue.Create(text);
        }
    }

    /// <summary>
    /// Writes what <see cref="Bind"/> reads: properties that can be set. [JsonIgnore] alone is not enough, an overriding property does not
    /// inherit it.
    /// </summary>
    private static void LeaveOutDerivedValues(JsonTypeInfo type)
    {
        if (!typeof(Settings).IsAssignableFrom(type.Type))
            return;
        for (var i = type.Properties.Count - 1; i >= 0; i--)
        {
            if (type.Properties[i].Set is null)
                type.Properties.RemoveAt(i);
        }
    }

    private static IEnumerable<KeyValuePair<string, JsonNode?>> Flatten(JsonObject values, string prefix)
    {
        foreach (var (key, value) in values)
        {
            if (value is JsonObject { Count: > 0 } inner)
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

    private static IEnumerable<string> Problems(Settings settings, string path)
    {
        foreach (var problem in settings.Problems())
            yield return path.Length == 0 ? problem : $"In {path}: {problem}";
        foreach (var (key, property) in Properties(settings.GetType()))
        {
            var value = property.GetValue(settings);
            var inner = value is Settings nested ? [(Path: Join(path, key), Settings: nested)]
                : value is IEnumerable<Settings> list ? list.Select((item, i) => (Path: $"{Join(path, key)}[{i}]", Settings: item))
                : [];
            foreach (var problem in inner.SelectMany(i => Problems(i.Settings, i.Path)))
                yield return problem;
        }
    }

    private static void Merge(Type type, JsonObject target, JsonObject values, string path, List<string> problems)
    {
        var properties = Properties(type);
        var ignored = type.GetCustomAttributes<IgnoredKeysAttribute>(inherit: true).SelectMany(a => a.Keys).ToHashSet();
        foreach (var (key, value) in Entries(values, path, problems))
        {
            if (ignored.Contains(key))
                continue;
            var here = Join(path, key);
            if (!properties.TryGetValue(key, out var property))
                problems.Add($"'{here}' is no key of it.{DidYouMean(path, key, properties.Keys)}");
            else if (IsSettings(property.PropertyType) && value is JsonObject inner)
                Merge(property.PropertyType, Nested(target, key, property.PropertyType), inner, here, problems);
            else if (ElementType(property.PropertyType) is { } element && IsSettings(element) && value is JsonArray list)
                target[key] = MergeList(element, list, here, problems);
            else if (Fits(value, property))
                target[key] = value?.DeepClone();
            else
                problems.Add($"'{here}' is {Shown(value)}; it must be {Describe(property.PropertyType)}{Bound(value, property)}.");
        }
    }

    /// <summary>A value as it was given, fit for a message.</summary>
    private static string Shown(JsonNode? value)
    {
        const int most = 100;
        var text = value?.ToJsonString(Readable) ?? "null";
        return text.Length > most ? $"{text[..most]}…" : text;
    }

    /// <summary>The bound that a whole number broke, if that is its trouble.</summary>
    private static string Bound(JsonNode? value, PropertyInfo property)
    {
        if (value?.GetValueKind() != JsonValueKind.Number || value.ToJsonString().Any(c => c is not '-' && !char.IsAsciiDigit(c)))
            return "";
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        return type == typeof(int) ? $" from {int.MinValue} to {int.MaxValue}"
            : type == typeof(uint) ? $" from 0 to {uint.MaxValue}"
            : type == typeof(long) ? $" from {long.MinValue} to {long.MaxValue}"
            : "";
    }

    /// <summary>A list of records is replaced as a whole; what an item does not say is its type's default.</summary>
    private static JsonArray MergeList(Type element, JsonArray values, string path, List<string> problems)
    {
        var merged = new JsonArray();
        for (var i = 0; i < values.Count; i++)
        {
            var item = Write((Settings)Activator.CreateInstance(element)!);
            if (values[i] is JsonObject given)
                Merge(element, item, given, $"{path}[{i}]", problems);
            else
                problems.Add($"'{path}[{i}]' is {Shown(values[i])}; it must be an object.");
            merged.Add(item);
        }
        return merged;
    }

    /// <summary>The keys and values of an object. One that a file gives twice is found only when it is first read.</summary>
    private static List<KeyValuePair<string, JsonNode?>> Entries(JsonObject values, string path, List<string> problems)
    {
        try
        {
            return [.. values];
        }
        catch (ArgumentException)
        {
            problems.Add($"{(path.Length == 0 ? "It" : $"'{path}'")} has a key twice.");
            return [];
        }
    }

    private static JsonObject Nested(JsonObject target, string key, Type type)
    {
        if (target[key] is not JsonObject nested)
            target[key] = nested = Write((Settings)Activator.CreateInstance(type)!);
        return nested;
    }

    private static bool Fits(JsonNode? value, PropertyInfo property)
    {
        if (value is null)
            return TakesNull(property);
        try
        {
            _ = value.Deserialize(property.PropertyType, Options);
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or ArgumentException)
        {
            return false;
        }
    }

    private static bool TakesNull(PropertyInfo property) => property.PropertyType.IsValueType
        ? Nullable.GetUnderlyingType(property.PropertyType) is not null
        : new NullabilityInfoContext().Create(property).WriteState != NullabilityState.NotNull;

    private static Dictionary<string, PropertyInfo> Properties(Type type) => type
        .GetProperties(BindingFlags.Instance | BindingFlags.Public)
        .Where(p => p.SetMethod is { IsPublic: true } && p.GetIndexParameters().Length == 0)
        .Where(p => p.GetCustomAttribute<JsonIgnoreAttribute>() is null)
        .ToDictionary(p => p.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name ?? p.Name);

    private static bool IsSettings(Type type) => typeof(Settings).IsAssignableFrom(type);

    /// <summary>What a list holds; null where the type is no list.</summary>
    private static Type? ElementType(Type type)
    {
        if (type == typeof(string) || type.IsAssignableTo(typeof(IDictionary)))
            return null;
        if (type.IsArray)
            return type.GetElementType();
        return type.GetInterfaces().Append(type)
            .FirstOrDefault(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IEnumerable<>))?.GetGenericArguments()[0];
    }

    private static string DidYouMean(string path, string key, IEnumerable<string> keys) =>
        Names.Nearest(key, keys) is { } near ? $" Did you mean '{Join(path, near)}'?" : "";

    private static string Join(string path, string key) => path.Length == 0 ? key : $"{path}.{key}";

    private static string Describe(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type.GetCustomAttribute<DescriptionAttribute>() is { Description.Length: > 0 } described)
            return described.Description;
        if (type.IsEnum)
            return "one of " + string.Join(", ", Enum.GetNames(type).Select(name => EnumKey(type, name)));
        if (type == typeof(bool))
            return "true or false";
        if (Type.GetTypeCode(type) is >= TypeCode.SByte and <= TypeCode.UInt64)
            return "a whole number";
        if (type == typeof(double) || type == typeof(float))
            return "a number";
        if (type == typeof(string))
            return "text";
        if (IsSettings(type))
            return "an object";
        return ElementType(type) is { } element && !(element.IsGenericType && element.GetGenericTypeDefinition() == typeof(KeyValuePair<,>))
            ? $"a list, each item {Describe(element)}"
            : "an object";
    }

    private static string EnumKey(Type type, string name) =>
        type.GetField(name)!.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()?.Name
        ?? JsonNamingPolicy.SnakeCaseLower.ConvertName(name);
}
