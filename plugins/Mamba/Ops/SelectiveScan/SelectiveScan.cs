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
}
