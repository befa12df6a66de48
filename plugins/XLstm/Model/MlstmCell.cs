using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Zoo.XLstm.Model;

/// <summary>The gates' weights and the norm of an mLSTM layer, under upstream's names.</summary>
internal sealed class MlstmCell : nn.Module
{
    private const double InputBiasDeviation = 0.1;

    [ComponentName(Name = "igate")]
    private readonly Weights _inputGate;

    [ComponentName(Name = "fgate")]
    private readonly Weights _forgetGate;

    [ComponentName(Name = "outnorm")]
    private readonly Weights _norm;

    public MlstmCell(int innerDim, int heads)
        : base(nameof(MlstmCell))
    {
        _inputGate = new Weights("igate", zeros(heads, 3 * innerDim), empty(heads).normal_(0, InputBiasDeviation));
        _forgetGate = new Weights("fgate", zeros(heads, 3 * innerDim), linspace(3, 6, heads));
        _norm = new Weights("outnorm", zeros(innerDim));
        RegisterComponents();
    }

    public Weights InputGate => _inputGate;

    public Weights ForgetGate => _forgetGate;

    /// <summary>The norm's weight, less one.</summary>
    public Tensor NormWeight => _norm.Weight;
}
