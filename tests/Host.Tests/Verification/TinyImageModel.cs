using TorchSharp.Modules;
using Zoo.Architectures;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.Verification;

internal sealed class TinyImageModel : ImageClassifier
{
    private readonly Fault _fault;
    private readonly Linear _first;
    private readonly Parameter _scale;
    private readonly Linear _second;
    private readonly nn.Module[] _hidden = [];
    private readonly Tensor[] _unsaved = [];

    public TinyImageModel(TinyImageConfig config, Fault fault) : base("tiny-image")
    {
        if (fault == Fault.ThrowsWhenBuilt)
            throw new InvalidOperationException("no such thing");
        _fault = fault;
        _first = nn.Linear(16, config.HiddenDim);
        _scale = new Parameter(rand(config.HiddenDim) + config.Nested.Scale);
        _second = nn.Linear(config.HiddenDim, 3);
        if (fault == Fault.ReadsValuesWhenBuilt)
            _ = _scale.sum().item<float>();
        if (fault == Fault.HiddenSubmodule)
            _hidden = [nn.Linear(3, 3)];
        if (fault == Fault.SubmoduleProperty)
            Extra = nn.Linear(3, 3);
        if (fault == Fault.UnsavedTensor)
            _unsaved = [randn(3)];
        if (fault == Fault.UnseededInitialisation)
        {
            using var noGradient = no_grad();
            _scale.add_((float)Random.Shared.NextDouble());
        }
        RegisterComponents();
    }

    public override ImageShape Input { get; } = new(1, 4, 4);

    public override int ClassCount => 3;

    private Linear? Extra { get; set; }

    public override Tensor Logits(Tensor images)
    {
        var flat = images.flatten(1);
        var hidden = _first.forward(flat).tanh();
        if (_fault == Fault.LowPrecision && images.dtype == ScalarType.Float32)
            hidden = hidden.to(ScalarType.BFloat16).to(images.dtype);
        hidden *= _fault switch
        {
            Fault.UnreachedParameter => _scale.detach(),
            Fault.ZeroGradient => 1 + 0 * _scale,
            Fault.DoubledGradient => 2 * _scale - _scale.detach(),
            _ => _scale,
        };
        if (_fault == Fault.RowLeakage)
            hidden = hidden - 0.01 * hidden.mean([0], keepdim: true);
        if (_fault == Fault.UnseededNoise && training)
            hidden = hidden * (1 + 1e-3 * Random.Shared.NextDouble());
        var logits = _second.forward(hidden);
        if (Extra is not null)
            logits = Extra.forward(logits);
        foreach (var module in _hidden)
            logits = ((Linear)module).forward(logits);
        foreach (var tensor in _unsaved)
            logits = logits + tensor.to(logits.dtype);
        return _fault == Fault.NotANumber ? logits / zeros_like(logits) * 0 : logits;
    }

    public override NamedTensors RunCase(NamedTensors inputs)
    {
        var outputs = base.RunCase(inputs);
        switch (_fault)
        {
            case Fault.OutputShape:
                outputs["logits"] = outputs["logits"].unsqueeze(0);
                break;
            case Fault.MissingOutput:
                outputs.Remove("logits");
                break;
        }
        return outputs;
    }

    public override IReadOnlyList<ParameterGroup> ParameterGroups() => _fault switch
    {
        Fault.UnknownGroupName => [new ParameterGroup(["_scales"])],
        Fault.OverlappingGroups => [new ParameterGroup(["_scale"]), new ParameterGroup(["_scale"])],
        _ => [new ParameterGroup(["_scale"]) { WeightDecay = 0 }],
    };
}
