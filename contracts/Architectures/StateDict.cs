using static TorchSharp.torch;

namespace Zoo.Architectures;

/// <summary>Moves parameters and buffers between a module and tensors by name.</summary>
public static class StateDict
{
    private const int ProblemsShown = 100;

    /// <summary>A module's parameters and buffers.</summary>
    /// <param name="module">Stays as it is.</param>
    /// <param name="withTiedKeys">Whether a shared tensor also stands under the original project's other names for it.</param>
    /// <returns>Detached tensors on the module's own memory, in the module's order; the caller disposes them.</returns>
    public static NamedTensors Save(nn.Module module, bool withTiedKeys = false)
    {
        var saved = new NamedTensors();
        foreach (var (key, tensor) in module.state_dict())
        {
            saved.Add(key, tensor.detach());
            if (!withTiedKeys)
                continue;
            foreach (var tied in TiedKeys(module, key))
                saved.TryAdd(tied, tensor.detach());
        }
        return saved;
    }

    /// <summary>Copies tensors into a module's parameters and buffers, to their device and between floating-point types.</summary>
    /// <param name="module">Changed only if everything fits.</param>
    /// <param name="tensors">
    /// One for each key of the module; for a shared tensor under any of its names, or under several with equal values.
    /// </param>
    /// <param name="source">Where they come from, for the message: "'model.safetensors'".</param>
    /// <exception cref="UserException">
    /// Tensors are missing, not the module's, of another shape or of a type that cannot be converted; all are named.
    /// </exception>
    public static void Load(nn.Module module, NamedTensors tensors, string source)
    {
        using var noGradient = no_grad();
        var values = Match(module, tensors, source);
        foreach (var shared in module.state_dict().GroupBy(p => p.Value.Handle))
            shared.First().Value.copy_(values[shared.First().Key]);
    }

    /// <summary>Finds the tensor of each of a module's parameters and buffers, and changes nothing; the module may be without storage.</summary>
    /// <param name="module">Says which there must be.</param>
    /// <param name="tensors">As <see cref="Load"/> takes them.</param>
    /// <param name="source">Where they come from, for the message.</param>
    /// <returns>Of <paramref name="tensors"/>, those for the module's keys, in the module's order.</returns>
    /// <exception cref="UserException">As <see cref="Load"/>.</exception>
    public static NamedTensors Match(nn.Module module, NamedTensors tensors, string source)
    {
        var missing = new List<string>();
        var misfits = new List<string>();
        var matched = new NamedTensors();
        var known = new HashSet<string>(StringComparer.Ordinal);

        // One tensor may stand under several keys of the module itself, and under further ones of upstream's.
        foreach (var shared in module.state_dict().GroupBy(p => p.Value.Handle))
        {
            var target = shared.First().Value;
            var names = shared.SelectMany(p => TiedKeys(module, p.Key).Prepend(p.Key)).Distinct().ToList();
            known.UnionWith(names);
            var given = names.Where(tensors.ContainsKey).ToList();
            if (given.Count == 0)
            {
                var others = names.Count > 1 ? $" (also known as {string.Join(", ", names.Skip(1))})" : "";
                missing.Add($"'{names[0]}' {Shape.Describe(target.shape)} is missing{others}.");
                continue;
            }
            var misfit = given.Select(name => Misfit(name, tensors[name], target)).FirstOrDefault(m => m is not null)
                ?? given.Skip(1).Where(name => !Same(tensors[given[0]], tensors[name]))
                    .Select(name => $"'{given[0]}' and '{name}' differ, and the model has one tensor for both.").FirstOrDefault();
            if (misfit is not null)
                misfits.Add(misfit);
            foreach (var (key, _) in shared)
                matched.Add(key, tensors[given[0]]);
        }
        var extra = tensors.Where(t => !known.Contains(t.Key))
            .Select(t => $"'{t.Key}' {Shape.Describe(t.Value.shape)} is not one of the model's.").ToList();

        if (missing.Count + extra.Count + misfits.Count > 0)
            throw Refused(module, source, missing, extra, misfits);
        return matched;
    }

    private static IReadOnlyList<string> TiedKeys(nn.Module module, string key) => module is Model model ? model.TiedKeys(key) : [];

    private static string? Misfit(string name, Tensor value, Tensor target)
    {
        if (!value.shape.AsSpan().SequenceEqual(target.shape))
            return $"'{name}' is {Shape.Describe(value.shape)} but must be {Shape.Describe(target.shape)}.";
        if (value.dtype != target.dtype && !(value.is_floating_point() && target.is_floating_point()))
            return $"'{name}' is {value.dtype} but must be {target.dtype}.";
        return null;
    }

    private static bool Same(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        return a.to(b.dtype).to(b.device).eq(b).all().item<bool>();
    }

    private static UserException Refused(nn.Module module, string source, List<string> missing, List<string> extra, List<string> misfits)
    {
        var counts = new[] { (missing.Count, "missing"), (extra.Count, "not the model's"), (misfits.Count, "of another shape, type or value") }
            .Where(c => c.Item1 > 0).Select(c => $"{c.Item1} {c.Item2}");
        var problems = missing.Concat(extra).Concat(misfits).ToList();
        var more = problems.Count > ProblemsShown ? $"\n  and {problems.Count - ProblemsShown} more." : "";
        return new UserException($"The tensors of {source} do not fit {module.GetName()}: {string.Join(", ", counts)}.\n" +
            string.Join('\n', problems.Take(ProblemsShown).Select(p => "  " + p)) + more);
    }
}
