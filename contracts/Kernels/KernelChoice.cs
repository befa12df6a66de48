namespace Zoo.Kernels;

/// <summary>Which backend the user wants for each op: "auto", "cpu", or "selective_scan=cpu,linear_scan=reference".</summary>
public sealed class KernelChoice
{
    /// <summary>Plain tensor code.</summary>
    public const string Reference = "reference";

    /// <summary>C# with the machine's vector instructions.</summary>
    public const string Cpu = "cpu";

    /// <summary>CUDA C++ compiled for the card that is there.</summary>
    public const string Cuda = "cuda";

    /// <summary>The names that exist.</summary>
    public static IReadOnlyList<string> Backends { get; } = [Reference, Cpu, Cuda];

    /// <summary>The best backend that takes the inputs.</summary>
    public static KernelChoice Auto { get; } = new(null, new Dictionary<string, string>());

    private readonly string? _all;
    private readonly IReadOnlyDictionary<string, string> _perOp;

    private KernelChoice(string? all, IReadOnlyDictionary<string, string> perOp)
    {
        _all = all;
        _perOp = perOp;
    }

    /// <summary>Ops that were named one by one.</summary>
    public IEnumerable<string> NamedOps => _perOp.Keys;

    /// <summary>The backend that is demanded of an op, or null for the best that takes the inputs.</summary>
    public string? For(string op) => _perOp.TryGetValue(op, out var backend) ? backend == "auto" ? null : backend : _all;

    /// <summary>Reads what the user typed.</summary>
    /// <exception cref="UserException">A backend does not exist, is missing, or an op or all of them are named twice.</exception>
    public static KernelChoice Parse(string text)
    {
        string? all = null;
        var named = new HashSet<string>(StringComparer.Ordinal);
        var perOp = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            var equals = part.IndexOf('=');
            var op = equals < 0 ? "" : part[..equals].TrimEnd();
            var backend = part[(equals + 1)..].TrimStart();
            if (backend != "auto" && !Backends.Contains(backend))
                throw new UserException($"--kernels {text}: there is no backend '{backend}'; it is auto, {string.Join(", ", Backends)}, or op=backend.");
            if (equals == 0)
                throw new UserException($"--kernels {text}: '{part}' names no op before its '='.");
            if (!named.Add(op))
                throw new UserException($"--kernels {text}: {(equals < 0 ? "a backend for all ops" : $"'{op}'")} is given twice.");
            if (equals < 0)
                all = backend == "auto" ? null : backend;
            else
                perOp[op] = backend;
        }
        return new KernelChoice(all, perOp);
    }

    /// <summary>As the user would type it.</summary>
    public override string ToString() =>
        string.Join(',', (_all is null && _perOp.Count > 0 ? [] : new[] { _all ?? "auto" }).Concat(_perOp.Select(p => $"{p.Key}={p.Value}")));
}
