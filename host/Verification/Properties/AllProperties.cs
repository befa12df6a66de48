namespace Zoo.Host.Verification.Properties;

/// <summary>Every property that there is, in the order of the report.</summary>
internal static class AllProperties
{
    /// <summary>Of models.</summary>
    public static IReadOnlyList<IModelProperty> OfModels { get; } =
    [
        new BuildsProperty(),
        new ConfigRoundTripProperty(),
        new UnknownKeyRefusedProperty(),
        new ComponentsRegisteredProperty(),
        new ParameterGroupsProperty(),
        new FiniteOutputsProperty(),
        new SameSeedProperty(),
        new RowsIndependentProperty(),
        new SaveAndLoadProperty(),
        new GradientReachesProperty(),
        new DeterministicBackwardProperty(),
        new Float64GradientProperty(),
        new DifferenceQuotientProperty(),
        new FusedEqualsTensorProperty(),
        new CausalityProperty(),
        new StepEqualsParallelProperty(),
        new PiecesEqualParallelProperty(),
        new StateCloneProperty(),
        new ConstantMemoryProperty(),
        new BFloat16Property(),
        new PackedEqualsUnpackedProperty(),
    ];

    /// <summary>Of ops.</summary>
    public static IReadOnlyList<IOpProperty> OfOps { get; } =
    [
        new OpRunsProperty(),
        new OpFloat64Property(),
        new OpDifferenceQuotientProperty(),
        new OpPartialGradientsProperty(),
    ];
}
