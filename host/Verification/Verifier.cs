using Zoo.Architectures;
using Zoo.Files;
using Zoo.Host.Verification.Properties;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Host.Verification;

/// <summary>Lists every check that there is of what is installed: golden cases, and each property of each architecture, preset and op.</summary>
/// <param name="catalog">What is installed.</param>
/// <param name="device">Where to run.</param>
/// <param name="kernels">Which backends to use.</param>
/// <param name="onCard">A card beside a libtorch without CUDA; null where there is none, or libtorch has it.</param>
internal sealed class Verifier(Catalog catalog, Device device, KernelChoice kernels, OnCard? onCard = null)
{
    /// <summary>Properties that compute are asked of presets with at most this many parameters, and of the smallest where all have more.</summary>
    private const long QuickParameterCount = 1_000_000;

    /// <summary>Above this many, a preset is never built with storage.</summary>
    private const long MostParameters = 200_000_000;

    /// <summary>Asked between files, which are hashed to list them.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Everything that is installed.</summary>
    public IEnumerable<Check> Everything() =>
    [
        .. catalog.PluginFolders.SelectMany(folder => GoldenOfPlugin(folder, _ => true)),
        .. catalog.Architectures.SelectMany(a => Properties(a.Architecture, preset: null)),
        .. catalog.Ops.All.SelectMany(Properties),
    ];

    /// <summary>One model: its golden cases and properties, and those of the ops that it says it uses.</summary>
    /// <param name="name">Name of an architecture, or an alias, which stands for its preset alone.</param>
    /// <exception cref="UserException">Nothing of that name is installed.</exception>
    public IEnumerable<Check> Of(string name)
    {
        var (installed, preset) = catalog.Architecture(name);
        var isAlias = name != installed.Info.Name;
        var ops = installed.Info.Ops.Select(catalog.Ops.Find).OfType<Op>().ToList();
        return
        [
            .. GoldenOfPlugin(installed.PluginFolder, IsOfIt),
            .. Properties(installed.Architecture, isAlias ? preset : null),
            .. ops.SelectMany(Properties),
            .. installed.Info.Ops.Where(op => catalog.Ops.Find(op) is null).Select(op => Check.OfProperty($"{op}/installed", op, () => PropertyOutcome.CannotAsk(
                $"{installed.Info.Name} says that it uses the op '{op}', and no installed plugin has announced it (IZooPlugin.ConfigureServices), so its cases are not run."))),
        ];

        bool IsOfIt(GoldenCase golden) => golden.IsModel
            ? isAlias ? golden.Name == name : catalog.HasArchitecture(golden.Name) && catalog.Architecture(golden.Name).Installed == installed
            : ops.Any(o => o.CaseNames.Contains(golden.Name));
    }

    /// <summary>One op: its golden cases, whichever plugin has them, and its properties.</summary>
    /// <exception cref="UserException">No installed plugin has it.</exception>
    public IEnumerable<Check> OfOp(string name)
    {
        var op = catalog.Ops.Get(name);
        return
        [
            .. catalog.PluginFolders.SelectMany(folder => GoldenOfPlugin(folder, golden => !golden.IsModel && op.CaseNames.Contains(golden.Name))),
            .. Properties(op),
        ];
    }

    /// <summary>Golden cases.</summary>
    public Check Golden(GoldenCase golden) =>
        new(golden.Id, CheckResult.Golden, golden.Name, () => new GoldenRunner(catalog, device, kernels, onCard).Run(golden));

    /// <summary>A file that should be a golden case. One that is none is a check that fails: the others go on.</summary>
    public Check Golden(string path) => Golden(path, _ => true)!;

    /// <summary>A plugin's own cases.</summary>
    private IEnumerable<Check> GoldenOfPlugin(string folder, Func<GoldenCase, bool> wanted) =>
        GoldenFiles.OfPlugin(folder).Select(path => Golden(path, wanted)).OfType<Check>();

    private Check? Golden(string path, Func<GoldenCase, bool> wanted)
    {
        try
        {
            var golden = GoldenCase.Open(path);
            return wanted(golden) ? Golden(golden) with { Content = FileHash.Sha256(path, Cancellation) } : null;
        }
        catch (BadFileException e)
        {
            var name = Path.GetFileNameWithoutExtension(path);
            return new Check(name, CheckResult.Golden, name, () => throw e) { Content = Path.GetFullPath(path) };
        }
    }

    /// <summary>Properties of an architecture.</summary>
    /// <param name="architecture">The plugin's object.</param>
    /// <param name="preset">The one preset that is meant; null for all, of which the quick ones are computed with.</param>
    public IEnumerable<Check> Properties(IModelArchitecture architecture, string? preset)
    {
        var subjects = (preset is null ? architecture.Presets.Keys : [preset])
            .Select(p => new ModelSubject(architecture, p) { Device = device, Kernels = kernels, Ops = catalog.Ops })
            .ToList();
        var outlines = subjects.ToDictionary(s => s.Preset, Outline);
        var computed = Computed(outlines);
        return
            from subject in subjects
            from property in AllProperties.OfModels
            where !property.NeedsStorage || computed.Contains(subject.Preset)
            where property.AppliesTo(subject.Info) && property.AppliesTo(outlines[subject.Preset])
            select Check.OfProperty($"{subject.Info.Name}/{subject.Preset}/{property.Name}", subject.Info.Name,
                () => onCard is null ? property.Check(subject) : PropertyOutcome.CannotAsk(OnCard.WhyNoModel));
    }

    /// <summary>Properties of an op.</summary>
    public IEnumerable<Check> Properties(Op op)
    {
        string? whyNot = null;
        var subject = new OpSubject(op) { Device = device, Kernels = onCard?.KernelsFor(op, out whyNot) ?? kernels };
        return
            from property in AllProperties.OfOps
            where property.AppliesTo(op)
            select Check.OfProperty($"{op.Name}/{property.Name}", op.Name, () => whyNot is null ? AskOp(property, subject) : PropertyOutcome.CannotAsk(whyNot));
    }

    /// <summary>An op that refuses random tensors of its declared axes has needs that the axes do not state; that is no fault.</summary>
    private PropertyOutcome AskOp(IOpProperty property, OpSubject subject)
    {
        using var use = onCard?.Use();
        try
        {
            return property.Check(subject);
        }
        catch (UserException e) when (e is not BackendRejectedException)
        {
            return PropertyOutcome.CannotAsk($"Random tensors of its declared axes do not suit it (ExampleSize and Example of the op can say which do): {e.Message}");
        }
    }

    private static HashSet<string> Computed(IReadOnlyDictionary<string, ModelOutline> outlines)
    {
        var quick = outlines.Where(o => o.Value.ParameterCount <= QuickParameterCount).Select(o => o.Key).ToHashSet(StringComparer.Ordinal);
        if (quick.Count == 0 && outlines.MinBy(o => o.Value.ParameterCount) is { Key: { } smallest, Value.ParameterCount: <= MostParameters })
            quick.Add(smallest);
        return quick;
    }

    /// <summary>The model without storage; an empty one where that fails, which a property reports.</summary>
    private static ModelOutline Outline(ModelSubject subject)
    {
        try
        {
            return subject.Outline();
        }
        catch (Exception e) when (e is not OutOfMemoryException)   // a plugin's code may throw anything; the property "builds" reports it
        {
            return new ModelOutline([], FusedStepName: null);
        }
    }
}
