using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Zoo.Files;

namespace Zoo.Host.Verification;

/// <summary>Inputs and parameters with the outputs and gradients that the original project's code gives for them.</summary>
internal sealed class GoldenCase
{
    private const string Op = "op";
    private const string Model = "model";

    private readonly string _path;

    private GoldenCase(string path) => _path = path;

    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Whether it is a whole network, and not one op.</summary>
    public required bool IsModel { get; init; }

    /// <summary>Name of the architecture or op.</summary>
    public required string Name { get; init; }

    /// <summary>The original project's config, or the op's options.</summary>
    public required JsonObject Config { get; init; }

    /// <summary>Whose code computed the outputs.</summary>
    public required string Source { get; init; }

    /// <summary>Allowed difference.</summary>
    public required double AbsoluteTolerance { get; init; }

    /// <summary>Allowed difference in terms of the expected value.</summary>
    public required double RelativeTolerance { get; init; }

    /// <summary>Reads a case's header and checks it; touches no tensor.</summary>
    /// <exception cref="BadFileException">It is no safetensors file or no golden case; the message names everything that is wrong.</exception>
    public static GoldenCase Open(string path)
    {
        using var file = SafeTensorsFile.Open(path);
        var metadata = file.Metadata;
        var problems = new List<string>();
        var level = Text("level");
        if (level is not null and not (Op or Model))
            problems.Add($"its level is '{level}' and must be '{Op}' or '{Model}'");
        var golden = new GoldenCase(path)
        {
            Id = Text("case") ?? "",
            IsModel = level == Model,
            Name = Text("name") ?? "",
            Config = ReadConfig(Text("config"), problems),
            Source = metadata.GetValueOrDefault("source") ?? "",
            AbsoluteTolerance = Tolerance("atol"),
            RelativeTolerance = Tolerance("rtol"),
        };
        CheckTensors(file.Tensors, problems);
        return problems.Count == 0 ? golden : throw new BadFileException($"'{path}' is no golden case: {string.Join("; ", problems)}.");

        string? Text(string key)
        {
            if (metadata.GetValueOrDefault(key) is { Length: > 0 } text)
                return text;
            problems.Add($"its metadata has no '{key}'");
            return null;
        }

        double Tolerance(string key)
        {
            if (Text(key) is not { } text)
                return 0;
            if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value) && value >= 0)
                return value;
            problems.Add($"its {key} is '{text}' and must be a number that is not negative");
            return 0;
        }
    }

    /// <summary>Reads the tensors; they belong to the dispose scope that is open.</summary>
    /// <exception cref="BadFileException">The file has changed since it was opened.</exception>
    public GoldenTensors Load()
    {
        using var file = SafeTensorsFile.Open(_path);
        var tensors = new GoldenTensors();
        foreach (var (key, tensor) in file.LoadAll())
            tensors.Add(key, tensor);
        return tensors;
    }

    private static JsonObject ReadConfig(string? text, List<string> problems)
    {
        if (text is null)
            return [];
        try
        {
            if (JsonText.Parse(text) is JsonObject config)
                return config;
            problems.Add("its config is no JSON object");
        }
        catch (JsonException e)
        {
            problems.Add($"its config {JsonText.Words(e)}");
        }
        return [];
    }

    private static void CheckTensors(IReadOnlyList<SafeTensorInfo> tensors, List<string> problems)
    {
        var shapes = tensors.ToDictionary(t => t.Name, t => t.Shape, StringComparer.Ordinal);
        var unknown = shapes.Keys.Where(k => GoldenTensors.PrefixOf(k) is null).ToList();
        if (unknown.Count > 0)
            problems.Add($"its tensors {Words.List(unknown)} start with none of {string.Join(", ", GoldenTensors.Prefixes)}");
        if (!shapes.Keys.Any(k => GoldenTensors.PrefixOf(k) == GoldenTensors.Out))
            problems.Add($"it has no {GoldenTensors.Out}*");
        var gradients = false;
        foreach (var (key, shape) in shapes)
        {
            var partner = GoldenTensors.PrefixOf(key) switch
            {
                GoldenTensors.Probe => GoldenTensors.Out + key[GoldenTensors.Probe.Length..],
                GoldenTensors.GradIn or GoldenTensors.GradParam => key[GoldenTensors.Grad.Length..],
                _ => null,
            };
            if (partner is null)
                continue;
            gradients |= key.StartsWith(GoldenTensors.Grad, StringComparison.Ordinal);
            if (!shapes.TryGetValue(partner, out var partnerShape))
                problems.Add($"it has '{key}' and no '{partner}'");
            else if (!shape.SequenceEqual(partnerShape))
                problems.Add($"'{key}' is {Shape.Describe([.. shape])} and '{partner}' {Shape.Describe([.. partnerShape])}");
        }
        if (gradients && !shapes.Keys.Any(k => GoldenTensors.PrefixOf(k) == GoldenTensors.Probe))
            problems.Add($"it has gradients and no {GoldenTensors.Probe}* that says of what");
    }
}
