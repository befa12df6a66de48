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

    public TinyTokenModel(TinyImageConfig config, TokenFault fault) : base("tiny-token")
    {
        _fault = fault;
        _embedding = nn.Embedding(11, config.HiddenDim);
        _decay = new Parameter(rand(config.HiddenDim) * 0.5f + 0.4f);
        _head = nn.Linear(config.HiddenDim, 11);
        RegisterComponents();
    }

    public override int VocabSize => 11;

    public override Tensor Hidden(Tensor ids) => Scan(_embedding.forward(ids), null, out _);

    public override Tensor Head(Tensor hidden) => _head.forward(hidden);

    public override ModelState NewState(int batch) => new State(zeros(batch, _decay.shape[0]), _fault == TokenFault.SharedState);

    public override Tensor Step(Tensor ids, ModelState state)
    {
        var memory = ((State)state).Memory;
        using var noGradient = no_grad();
        if (_fault != TokenFault.WrongStep)
            memory.mul_(_decay);
        memory.add_(_embedding.forward(ids));
        return memory.clone();
    }

    public override Tensor Hidden(Tensor ids, ModelState state)
    {
        var memory = ((State)state).Memory;
        var hidden = Scan(_embedding.forward(ids), _fault == TokenFault.PrefillIgnoresState ? null : memory, out var last);
        memory.copy_(last);
        return hidden;
    }

    private Tensor Scan(Tensor x, Tensor? start, out Tensor last)
    {
        if (_fault == TokenFault.LooksAhead && x.shape[1] > 1)
            x = x + 0.1f * x.roll(-1, 1);
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

        public override ModelState Clone() => new State(shared ? Memory.alias() : Memory.clone(), shared);

        public override void Dispose() => Memory.Dispose();
    }
}
