using System.Reflection;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.Recipes;
using Zoo.Tasks;

namespace Zoo.Host.Plugins;

/// <summary>A plugin that is in use, and what it brought.</summary>
internal sealed record LoadedPlugin
{
    /// <summary>The assembly's name.</summary>
    public required string Name { get; init; }

    /// <summary>Its version.</summary>
    public required string Version { get; init; }

    /// <summary>The DLL.</summary>
    public required string Path { get; init; }

    /// <summary>The Zoo.Contracts version that it was built against.</summary>
    public required string Contract { get; init; }

    /// <summary>The loaded assembly.</summary>
    public required Assembly Assembly { get; init; }

    /// <summary>Its architectures.</summary>
    public required IReadOnlyList<IModelArchitecture> Architectures { get; init; }

    /// <summary>Its tasks.</summary>
    public required IReadOnlyList<ITask> Tasks { get; init; }

    /// <summary>Its ops.</summary>
    public required IReadOnlyList<Op> Ops { get; init; }

    /// <summary>Its recipes.</summary>
    public required IReadOnlyList<IRecipe> Recipes { get; init; }

    /// <summary>Releases the services it registered; null where it registered none.</summary>
    public IDisposable? Services { get; init; }
}
