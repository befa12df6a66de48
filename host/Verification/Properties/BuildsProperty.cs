namespace Zoo.Host.Verification.Properties;

/// <summary>The preset builds; its parameters have checkpoint keys, and none is left out.</summary>
/// <remarks>Asked of every preset, without storage: names and shapes only.</remarks>
internal sealed class BuildsProperty : IModelProperty
{
    public string Name => "builds";

    public bool NeedsStorage => false;

    public PropertyOutcome Check(ModelSubject subject)
    {
        var parameters = subject.Outline().Parameters;
        if (parameters.Count == 0)
            return PropertyOutcome.Fails("It has no parameters. Does its constructor end in RegisterComponents()?");
        var odd = parameters.Select(p => p.Name).Where(n => !Names.IsValid(n)).ToList();
        if (odd.Count > 0)
        {
            return PropertyOutcome.Fails($"{Words.List(odd)} {(odd.Count == 1 ? "is no" : "are no")} checkpoint key. " +
                "Make parameters and submodules fields, not properties, or name them with [ComponentName].");
        }
        var empty = parameters.Where(p => p.Shape.Contains(0)).Select(p => p.Name).ToList();
        return empty.Count > 0 ? PropertyOutcome.Fails($"{Words.List(empty)} {(empty.Count == 1 ? "has" : "have")} no elements.") : PropertyOutcome.Holds;
    }
}
