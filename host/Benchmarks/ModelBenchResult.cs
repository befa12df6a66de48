using System.Text.Json.Nodes;

namespace Zoo.Host.Benchmarks;

/// <summary>How fast a model was.</summary>
internal sealed record ModelBenchResult
{
    public required string Model { get; init; }

    public required string Mode { get; init; }

    public required IReadOnlyDictionary<string, string> Backends { get; init; }

    public required long Params { get; init; }

    public required int Threads { get; init; }

    public required string Dtype { get; init; }

    public required int Batch { get; init; }

    /// <summary>Time steps; null where there are none.</summary>
    public int? Time { get; init; }

    /// <summary>Tokens a wall-clock second, of the median call. A sample counts as a token where there are no tokens.</summary>
    public required double TokensPerSecond { get; init; }

    /// <summary>Tokens a CPU second, of the least disturbed call.</summary>
    public required double CpuTokensPerSecond { get; init; }

    /// <summary>Median CPU seconds a token.</summary>
    public required double CpuSecondsPerToken { get; init; }

    /// <summary>Decoding only: time of the last tenth of the tokens over that of the first.</summary>
    public double? LateOverEarly { get; init; }

    /// <summary>The most bytes resident from before the model was built; the process's memory, a GPU's own is not in it.</summary>
    public required long PeakMemoryBytes { get; init; }

    /// <summary>Bytes resident before the model was built: the runtime, libtorch, plugins.</summary>
    public required long MemoryBeforeBytes { get; init; }

    /// <summary>Bytes of the weights as the model holds them.</summary>
    public required long WeightBytes { get; init; }

    /// <summary>Name of the packed form that the weights are in; null where they are not packed.</summary>
    public string? Packed { get; init; }

    /// <summary>Memory above what there was before the model, in units of the weights' own bytes.</summary>
    public double MemoryOverWeights => (PeakMemoryBytes - MemoryBeforeBytes) / (double)Math.Max(1, WeightBytes);

    public required int Runs { get; init; }

    /// <summary>The record of `--json`.</summary>
    public JsonObject ToJson() => new()
    {
        ["kind"] = "model",
        ["model"] = Model,
        ["mode"] = Mode,
        ["backends"] = new JsonObject(Backends.Select(b => KeyValuePair.Create<string, JsonNode?>(b.Key, b.Value))),
        ["params"] = Params,
        ["threads"] = Threads,
        ["dtype"] = Dtype,
        ["batch"] = Batch,
        ["time"] = Time,
        ["tokens_per_second"] = Math.Round(TokensPerSecond, 2),
        ["cpu_tokens_per_second"] = Math.Round(CpuTokensPerSecond, 2),
        ["cpu_us_per_token"] = Math.Round(CpuSecondsPerToken * 1e6, 3),
        ["late_over_early"] = LateOverEarly is { } ratio ? Math.Round(ratio, 4) : null,
        ["peak_memory_bytes"] = PeakMemoryBytes,
        ["memory_before_bytes"] = MemoryBeforeBytes,
        ["weight_bytes"] = WeightBytes,
        ["memory_over_weights"] = Math.Round(MemoryOverWeights, 4),
        ["packed"] = Packed,
        ["runs"] = Runs,
    };
}
