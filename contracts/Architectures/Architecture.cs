using System.Text.Json.Nodes;
using Zoo.Configuration;
using Zoo.Tasks;

namespace Zoo.Architectures;

/// <summary>The usual base of an architecture: its config record is bound from JSON by property names.</summary>
/// <typeparam name="TConfig">The config record; its properties carry upstream's keys.</typeparam>
public abstract class Architecture<TConfig> : IModelArchitecture
    where TConfig : ModelConfig, new()
{
    /// <inheritdoc/>
    public abstract ArchitectureInfo Info { get; }

    /// <inheritdoc/>
    public abstract IReadOnlyDictionary<string, ModelConfig> Presets { get; }

    /// <inheritdoc/>
    public virtual ModelConfig ReadConfig(string preset, JsonObject values) =>
        ConfigJson.Bind((TConfig)Presets[preset], values, Info.Name);

    /// <inheritdoc/>
    public virtual ModelConfig ReadUpstreamConfig(string preset, JsonObject values) => ReadConfig(preset, values);

    /// <inheritdoc/>
    public virtual JsonObject WriteUpstreamConfig(ModelConfig config) => ConfigJson.Write(config);

    /// <inheritdoc/>
    public virtual UpstreamTensor? FindUpstream(string name) => new(name);

    /// <inheritdoc/>
    public virtual JsonObject ImpliedBy(TaskShape shape) => [];

    /// <inheritdoc/>
    public virtual IReadOnlyList<MemoryNeed> MemoryNeeds(ModelConfig config) => [];

    /// <inheritdoc cref="IModelArchitecture.CreateModel"/>
    protected abstract Model CreateModel(TConfig config, BuildContext context);

    Model IModelArchitecture.CreateModel(ModelConfig config, BuildContext context) => CreateModel((TConfig)config, context);
}
