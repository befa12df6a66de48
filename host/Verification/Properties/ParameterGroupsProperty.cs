namespace Zoo.Host.Verification.Properties;

/// <summary>Parameter groups name parameters that exist, each at most once, with settings that an optimiser can use.</summary>
internal sealed class ParameterGroupsProperty : IModelProperty
{
    public string Name => "parameter-groups";

    public PropertyOutcome Check(ModelSubject subject)
    {
        using var model = subject.Build();
        var keys = model.named_parameters().Select(p => p.name).ToHashSet(StringComparer.Ordinal);
        var named = new HashSet<string>(StringComparer.Ordinal);
        foreach (var group in model.ParameterGroups())
        {
            foreach (var name in group.Names)
            {
                if (!keys.Contains(name))
                    return PropertyOutcome.Fails($"A parameter group names '{name}', which the model does not have.{Names.DidYouMean(name, keys)}");
                if (!named.Add(name))
                    return PropertyOutcome.Fails($"'{name}' is in two parameter groups.");
            }
            if (!(group.LearningRateFactor >= 0) || !double.IsFinite(group.LearningRateFactor))
                return PropertyOutcome.Fails($"The group of '{group.Names[0]}' has the learning-rate factor {group.LearningRateFactor}.");
            if (group.WeightDecay is { } decay && (!(decay >= 0) || !double.IsFinite(decay)))
                return PropertyOutcome.Fails($"The group of '{group.Names[0]}' has the weight decay {decay}.");
        }
        return PropertyOutcome.Holds;
    }
}
