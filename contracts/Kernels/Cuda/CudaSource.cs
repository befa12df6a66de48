using System.Collections.Concurrent;
using System.Reflection;

namespace Zoo.Kernels.Cuda;

/// <summary>A .cu file that travels inside an assembly, with the headers that it may include.</summary>
/// <remarks>Headers are `zoo.cuh` and whatever .cuh files the assembly itself embeds; there is no other file that it could include.</remarks>
public sealed class CudaSource
{
    private const string Header = ".cuh";
    private static readonly ConcurrentDictionary<(Assembly, string), CudaSource> Known = new();

    /// <summary>A source of some text, as if the assembly embedded it.</summary>
    internal CudaSource(Assembly assembly, string name, string text)
    {
        Assembly = assembly;
        Name = name;
        Text = text;
        var headers = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var home in (Assembly[])[typeof(CudaSource).Assembly, assembly])
        {
            foreach (var resource in home.GetManifestResourceNames().Where(n => n.EndsWith(Header, StringComparison.Ordinal)))
                headers[Path.GetFileName(resource)] = Read(home, resource);
        }
        Headers = headers;
    }

    /// <summary>Where it is embedded.</summary>
    public Assembly Assembly { get; }

    /// <summary>Its path below the project: "Kernels/LinearScan/LinearScan.cu".</summary>
    public string Name { get; }

    /// <summary>Its text.</summary>
    public string Text { get; }

    /// <summary>Texts of the headers by file name.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>The source of that name.</summary>
    /// <param name="assembly">Where it is embedded.</param>
    /// <param name="name">Its path below the project, or its file name where no other has the same.</param>
    /// <exception cref="ArgumentException">There is none, or there are several.</exception>
    public static CudaSource Of(Assembly assembly, string name) => Known.GetOrAdd((assembly, name), static key =>
    {
        var (assembly, name) = key;
        var all = Names(assembly).Where(n => n == name || n.EndsWith("/" + name, StringComparison.Ordinal)).ToList();
        return all.Count == 1
            ? new CudaSource(assembly, all[0], Read(assembly, all[0]))
            : throw new ArgumentException($"{assembly.GetName().Name} embeds {(all.Count == 0 ? "no" : "several")} '{name}'; it has: {string.Join(", ", Names(assembly))}.");
    });

    /// <summary>Every .cu file of an assembly.</summary>
    public static IReadOnlyList<CudaSource> All(Assembly assembly) => [.. Names(assembly).Select(n => Of(assembly, n))];

    /// <summary>Its name with the assembly's.</summary>
    public override string ToString() => $"{Name} of {Assembly.GetName().Name}";

    private static IEnumerable<string> Names(Assembly assembly) =>
        assembly.GetManifestResourceNames().Where(n => n.EndsWith(".cu", StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    private static string Read(Assembly assembly, string name)
    {
        using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
