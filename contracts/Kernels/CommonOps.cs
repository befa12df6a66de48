namespace Zoo.Kernels;

/// <summary>The ops that come with the contract, because several plugins stand on them.</summary>
public static class CommonOps
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<Op> All { get; } =
    [
        LinearScan.Instance, RmsNorm.Instance, LayerNorm.Instance, CrossEntropy.Instance,
        AdamWUpdate.Instance, SgdUpdate.Instance,
        BFloat16Linear.Instance,
        CausalConv.Instance, MatrixVector.Instance,
        Gelu.Instance, SwiGlu.Instance, Rope.Instance, Attention.Instance, LinearProduct.Instance, GeluMlp.Instance,
    ];
}
