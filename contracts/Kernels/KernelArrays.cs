using Zoo.Kernels.Cuda;

namespace Zoo.Kernels;

/// <summary>The memory of one kernel call, by name.</summary>
public sealed class KernelArrays
{
    private const int UsualCount = 7;

    private readonly Dictionary<string, KernelArray> _arrays = new(UsualCount, StringComparer.Ordinal);
    private Dictionary<string, KernelArray>? _gradients;

    /// <summary>The card whose memory these are; null where they are tensors' own memory.</summary>
    public ICudaDevice? Device { get; init; }

    /// <summary>Index of the card that the tensors are on; null where they are on the CPU.</summary>
    internal int? Card { get; init; }

    /// <summary>Every array by name.</summary>
    internal IEnumerable<KeyValuePair<string, KernelArray>> All => _arrays;

    /// <summary>Every gradient by name.</summary>
    internal IEnumerable<KeyValuePair<string, KernelArray>> AllGradients => _gradients ?? [];

    /// <summary>An input, an output, or something kept by forward.</summary>
    public KernelArray this[string name] => _arrays.GetValueOrDefault(name);

    /// <summary>
    /// A gradient: of an output, to read (absent: it is zero); of an input, to fill (absent: it is not wanted). Memory to fill holds anything.
    /// </summary>
    public KernelArray Gradient(string name) => _gradients is null ? default : _gradients.GetValueOrDefault(name);

    /// <summary>Adds an array; for tests and benchmarks that call kernels on memory of their own.</summary>
    public void Add(string name, KernelArray array) => _arrays.Add(name, array);

    /// <summary>Adds a gradient, likewise.</summary>
    public void AddGradient(string name, KernelArray array) => (_gradients ??= new(StringComparer.Ordinal)).Add(name, array);
}
