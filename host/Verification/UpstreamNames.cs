using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.Host.Verification;

/// <summary>The names that a case has for a model's parameters, where an architecture knows those of several projects.</summary>
internal sealed class UpstreamNames
{
    private readonly Dictionary<string, UpstreamTensor> _known = new(StringComparer.Ordinal);

    /// <param name="architecture">Says which of its tensors a name means.</param>
    /// <param name="config">The case's config.</param>
    /// <param name="names">The case's names.</param>
    /// <param name="source">Whose names they are, for the message.</param>
    /// <exception cref="UserException">Two names mean one tensor.</exception>
    public UpstreamNames(IModelArchitecture architecture, ModelConfig config, IEnumerable<string> names, string source)
    {
        var firsts = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var name in names)
        {
            if (architecture.FindUpstream(name, config) is not { } found)
                continue;
            if (!firsts.TryAdd(found.Key, name))
                throw new UserException($"The tensors of {source} do not fit {architecture.Info.Name}: '{name}' and '{firsts[found.Key]}' are both its '{found.Key}'.");
            _known.Add(name, found);
        }
    }

    /// <summary>The tensors under the model's own keys; those that it makes anew are left out.</summary>
    public NamedTensors ToModel(NamedTensors tensors)
    {
        var renamed = new NamedTensors();
        foreach (var (name, found) in _known)
            renamed.Add(found.Key, Turned(tensors[name], found));
        return renamed;
    }

    /// <summary>A parameter's gradient as the case's name has it; null where none reached it, or the model has no such parameter.</summary>
    public Tensor? GradientOf(string name, NamedTensors parameters) =>
        _known.TryGetValue(name, out var found) && parameters.Find(found.Key)?.grad is { } gradient ? Turned(gradient, found) : null;

    private static Tensor Turned(Tensor tensor, UpstreamTensor found) => found.Transposed && tensor.dim() == 2 ? tensor.t() : tensor;
}
