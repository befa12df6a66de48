using TorchSharp.Modules;
using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>x Wᵀ + b in the run's arithmetic, initialised as PyTorch does.</summary>
internal sealed class Dense : nn.Module<Tensor, Tensor>
{
    public readonly Parameter weight;
    public readonly Parameter? bias;
    private readonly ScalarType _arithmetic;
    private readonly KernelChoice _kernels;

    /// <param name="from">Width of the input.</param>
    /// <param name="to">Width of the output.</param>
    /// <param name="hasBias">Whether there is a bias.</param>
    /// <param name="context">Device, arithmetic and backends.</param>
    public Dense(long from, long to, bool hasBias, BuildContext context) : base(nameof(Dense))
    {
        (_arithmetic, _kernels) = (context.Dtype, context.Kernels);
        var bound = 1 / Math.Sqrt(from);                       // Kaiming's uniform with a = √5
        weight = new Parameter(empty(to, from).uniform_(-bound, bound).to(context.Device));
        bias = hasBias ? new Parameter(empty(to).uniform_(-bound, bound).to(context.Device)) : null;
        RegisterComponents();
    }

    /// <param name="x">[..., from].</param>
    /// <returns>[..., to].</returns>
    public override Tensor forward(Tensor x) => MixedPrecision.Linear(x, weight, bias, _arithmetic, _kernels);

    /// <summary>Mean cross-entropy of the outputs as logits, without holding them; null where the arithmetic is not float32's.</summary>
    /// <param name="hidden">[n, from].</param>
    /// <param name="targets">int64 [n].</param>
    public Tensor? Loss(Tensor hidden, Tensor targets) =>
        _arithmetic == ScalarType.BFloat16 ? null : CrossEntropy.Apply(hidden, weight, targets, bias, _kernels);

    /// <summary>The same in equal parts of the outputs: each comes out as contiguous memory, which a slice of the whole would not be.</summary>
    /// <param name="x">[..., from].</param>
    /// <param name="parts">How many.</param>
    /// <returns>[..., to / parts] each.</returns>
    public Tensor[] Parts(Tensor x, int parts) => MixedPrecision.LinearParts(x, weight, bias, parts, _arithmetic, _kernels);
}
