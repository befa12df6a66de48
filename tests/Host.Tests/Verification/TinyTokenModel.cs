using TorchSharp.Modules;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.Tests.Verification;

internal sealed class TinyTokenModel : TokenModel
{
    private readonly TokenFault _fault;
    private readonly Embedding _embedding;
    private readonly Parameter _decay;
    private readonly Linear _head;
    private readonly ScalarType _arithmetic;

    public TinyTokenModel(TinyImageConfig config, BuildContext context, TokenFault fault) : base("tiny-token")
    {
        _fault = fault;
        _arithmetic = fault == TokenFault.IgnoresBFloat16 ? ScalarType.Float32 : context.Dtype;
        _embedding = nn.Embedding(11, config.HiddenDim);
        _decay = new Parameter(rand(config.HiddenDim) * 0.5f + 0.4f);
        _head = nn.Linear(config.HiddenDim, 11);
        RegisterComponents();
    }

    public override int VocabSize => 11;

    public override int? MaximumLength => _fault is TokenFault.ShortButRight or TokenFault.ShortAndWrongStep ? 9 : null;

    public override Tensor Hidden(Tensor ids) => Scan(Embed(ids), null, out _);

    public override Tensor Head(Tensor hidden)
    {
        var isLow = _arithmetic == ScalarType.BFloat16;
        var weight = isLow && _fault == TokenFault.BFloat16WithoutGradient ? _head.weight!.detach() : _head.weight!;
        var logits = MixedPrecision.Linear(hidden, weight, _head.bias, _arithmetic);
        return isLow && _fault == TokenFault.WrongBFloat16 ? 1.2f * logits : logits;
    }

    public override ModelState? NewState(int batch) => _fault == TokenFault.NoState ? null : new State(zeros(batch, _decay.shape[0]), _fault == TokenFault.SharedState);

    public override Tensor Step(Tensor ids, ModelState state)
    {
        var memory = ((State)state).Memory;
        using var noGradient = no_grad();
        if (_fault is not (TokenFault.WrongStep or TokenFault.ShortAndWrongStep))
            memory.mul_(_decay);
        memory.add_(Embed(ids));
        if (_fault == TokenFault.GrowingState)
            ((State)state).Seen.Add(memory.clone().DetachFromDisposeScope());
        return memory.clone();
    }

    public override Tensor Hidden(Tensor ids, ModelState state)
    {
        var memory = ((State)state).Memory;
        var hidden = Scan(Embed(ids), _fault == TokenFault.PrefillIgnoresState ? null : memory, out var last);
        if (_fault != TokenFault.PrefillKeepsState)
            memory.copy_(last);
        return hidden;
    }

    private Tensor Embed(Tensor ids) => MixedPrecision.Embed(ids, _embedding.weight!);

    private Tensor Scan(Tensor x, Tensor? start, out Tensor last)
    {
        if (_fault == TokenFault.LooksAhead && x.shape[1] > 1)
            x = x + 0.1f * x.roll(-1, 1);
        if (_fault == TokenFault.LooksSideways)
            x = x - x.mean([0L], keepdim: true);
        var h = start ?? zeros_like(x.select(1, 0));
        var states = new List<Tensor>();
        foreach (var at in x.unbind(1))
            states.Add(h = (_fault == TokenFault.ForgetsAfterBlock && states.Count == 64 ? 0 * h : _decay * h) + at);
        last = h;
        var all = stack(states, dim: 1);
        return _fault == TokenFault.KnowsTheLength ? all * (1 + 1.0f / x.shape[1]) : all;
    }

    private sealed class State(Tensor memory, bool shared) : ModelState
    {
        public Tensor Memory { get; } = memory;

        public List<Tensor> Seen { get; } = [];

        public override ModelState Clone() => new State(shared ? Memory.alias() : Memory.clone(), shared);

        public override void Dispose() => Memory.Dispose();
    }
}
