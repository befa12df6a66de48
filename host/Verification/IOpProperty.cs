using Zoo.Kernels;

namespace Zoo.Host.Verification;

/// <summary>Something that every op must have, asked with random tensors of its declared axes.</summary>
internal interface IOpProperty
{
    /// <summary>Its name, in kebab-case.</summary>
    string Name { get; }

    /// <summary>Whether it can be asked of this op.</summary>
    bool AppliesTo(Op op) => true;

    /// <summary>Asks it. The caller has opened a dispose scope.</summary>
    PropertyOutcome Check(OpSubject subject);
}
