using Zoo.Architectures;

namespace Zoo.MinRnn;

/// <summary>How an LRU's own parameters are trained.</summary>
internal static class LruParameters
{
    private static readonly string[] Own = [".seq.nu_log", ".seq.theta_log", ".seq.gamma_log", ".seq.B_re", ".seq.B_im"];

    /// <summary>Λ, B and γ without weight decay and at a rate of their own (Orvieto et al. 2023, table 9).</summary>
    public static IReadOnlyList<ParameterGroup> Groups(Model model, LruConfig config)
    {
        var names = model.named_parameters().Select(p => p.name)
            .Where(name => Own.Any(own => name.EndsWith(own, StringComparison.Ordinal))).ToList();
        return names.Count == 0 ? [] : [new ParameterGroup(names) { LearningRateFactor = config.RateFactor, WeightDecay = 0 }];
    }

    /// <summary>Everything of the recurrence stays in float32.</summary>
    public static bool IsFloat32Island(string parameterName) => parameterName.Contains(".seq.", StringComparison.Ordinal);
}
