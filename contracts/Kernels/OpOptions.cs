using System.Text.Json;
using System.Text.Json.Nodes;

namespace Zoo.Kernels;

/// <summary>Scalar and boolean options of an op's call.</summary>
/// <param name="values">By name.</param>
public sealed class OpOptions(JsonObject values)
{
    /// <summary>No options.</summary>
    public static OpOptions None => new([]);

    /// <summary>The value, or <paramref name="fallback"/> where it was not given.</summary>
    /// <exception cref="UserException">It is of another type.</exception>
    public T Get<T>(string name, T fallback)
    {
        if (values[name] is not { } node)
            return fallback;
        try
        {
            return node.Deserialize<T>()!;   // a whole number that a program gave is a number, too
        }
        catch (JsonException e)
        {
            var wanted = typeof(T) == typeof(bool) ? "true or false" : typeof(T) == typeof(string) ? "text"
                : typeof(T) == typeof(int) || typeof(T) == typeof(long) ? "a whole number" : "a number";
            throw new UserException($"The option '{name}' is {node.ToJsonString()}; it must be {wanted}.", e);
        }
    }
}
