using Zoo.Architectures;

namespace Zoo.Host.Verification;

/// <summary>Something that every model must have, or every model whose kind or abilities promise it.</summary>
internal interface IModelProperty
{
    /// <summary>Its name, in kebab-case.</summary>
    string Name { get; }

    /// <summary>Whether it builds the model with storage and computes; if not, it is asked of the largest presets too.</summary>
    bool NeedsStorage => true;

    /// <summary>Whether it can be asked, by the architecture's kind and abilities.</summary>
    bool AppliesTo(ArchitectureInfo info) => true;

    /// <summary>Whether it can be asked, by what the preset's model offers.</summary>
    bool AppliesTo(ModelOutline outline) => true;

    /// <summary>Asks it. The caller has opened a dispose scope.</summary>
    PropertyOutcome Check(ModelSubject subject);
}
