using System.Text.Json.Nodes;
using Zoo.Configuration;
using Zoo.Tasks;

namespace Zoo.Architectures;

/// <summary>
/// A neural-network architecture. One class that implements this, in one DLL, is a plugin: the class describes and builds, and does
/// nothing else until a model is asked for. It needs a public constructor without parameters.
/// </summary>
/// <remarks><see cref="Architecture{TConfig}"/> implements all of it but <see cref="Info"/>, the presets and the model.</remarks>
public interface IModelArchitecture
{
    /// <summary>Its name, title, source and abilities.</summary>
    ArchitectureInfo Info { get; }

    /// <summary>Configs by preset name; holds at least <see cref="ArchitectureInfo.DefaultPreset"/>.</summary>
    IReadOnlyDictionary<string, ModelConfig> Presets { get; }

    /// <summary>Reads a config: the preset's values with those of <paramref name="values"/> over them.</summary>
    /// <param name="preset">A key of <see cref="Presets"/>.</param>
    /// <param name="values">Config keys, nested as upstream nests them.</param>
    /// <exception cref="ConfigException">Keys are unknown or values wrong; the message lists every problem.</exception>
    ModelConfig ReadConfig(string preset, JsonObject values);

    /// <summary>Reads the original project's own config, as its checkpoints and the golden cases carry it.</summary>
    /// <exception cref="ConfigException">As <see cref="ReadConfig"/>.</exception>
    ModelConfig ReadUpstreamConfig(string preset, JsonObject values) => ReadConfig(preset, values);

    /// <summary>A config as the original project's config.json has it: what <see cref="ReadUpstreamConfig"/> reads.</summary>
    JsonObject WriteUpstreamConfig(ModelConfig config) => ConfigJson.Write(config);

    /// <summary>
    /// Which of the model's tensors one of a published checkpoint is; the model's own keys unless overridden. Where checkpoints come under
    /// several namings, this knows them all.
    /// </summary>
    /// <param name="name">Its name in the checkpoint.</param>
    /// <returns>
    /// A name that is unknown comes back as it is, so that it can be reported. Null for a tensor that checkpoints hold and the model does not
    /// need, such as a stored mask.
    /// </returns>
    UpstreamTensor? FindUpstream(string name) => new(name);

    /// <summary>As <see cref="FindUpstream(string)"/>, for an architecture whose checkpoints' names do not say it all.</summary>
    /// <param name="name">Its name in the checkpoint.</param>
    /// <param name="config">What <see cref="ReadUpstreamConfig"/> made of the checkpoint's config.</param>
    UpstreamTensor? FindUpstream(string name, ModelConfig config) => FindUpstream(name);

    /// <summary>The config keys that a task or benchmark implies (vocabulary, length, classes), used unless the user sets them.</summary>
    JsonObject ImpliedBy(TaskShape shape) => [];

    /// <summary>As <see cref="ImpliedBy(TaskShape)"/>, for an architecture whose keys depend on the config.</summary>
    /// <param name="shape">What the task says.</param>
    /// <param name="preset">A key of <see cref="Presets"/>.</param>
    /// <param name="values">The user's values.</param>
    JsonObject ImpliedBy(TaskShape shape, string preset, JsonObject values) => ImpliedBy(shape);

    /// <summary>What its uses need of memory, for an architecture that has something to say of it; nothing is built.</summary>
    IReadOnlyList<MemoryNeed> MemoryNeeds(ModelConfig config) => [];

    /// <summary>Builds the model, initialised as the paper or the original project does; the base type says its kind.</summary>
    /// <exception cref="UserException">This config cannot be built here; the message says why.</exception>
    Model CreateModel(ModelConfig config, BuildContext context);
}
