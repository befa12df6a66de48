using Zoo.Kernels;

namespace Zoo.Mamba.Ops.SelectiveScan;

/// <summary>The selective scan of Gu &amp; Dao 2023, in the original kernel's layout: channels before time.</summary>
/// <remarks>README.md beside this file has the equations, derives the backward and lists measurements.</remarks>
internal sealed class SelectiveScan : SelectiveScanOp
{
    public static SelectiveScan Instance { get; } = new();

    private SelectiveScan()
        : base(timeLast: true)
    {
    }

    public override string Name => "selective_scan";

    public override string Title => "h = exp(Δ A) h + Δ B u and y = C h + D u over time, channels before time";

    /// <summary>The original's function also takes a B or C that is the same at all times, [D, N]: as many groups as channels.</summary>
    public override OpCaseResult RunCase(OpCase recorded, KernelChoice choice)
    {
        var arguments = new NamedTensors(recorded.Arguments);
        foreach (var name in new[] { "B", "C" })
        {
            if (arguments.Find(name) is { } constant && constant.dim() == 2 && arguments.Find("u") is { } u && u.dim() == 3)
                arguments[name] = constant.unsqueeze(0).unsqueeze(-1).expand(u.size(0), -1, -1, u.size(2));
        }
        return base.RunCase(recorded with { Arguments = arguments }, choice);
    }
}
