using TorchSharp.Modules;
using Zoo.Architectures;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.Architectures;

public sealed class TokenModelTests
{
    private const int Vocabulary = 7;

    // Rows of up to 100 tokens with one, several or no targets; "row:place" of each, in an order that is not the rows'.
    [TestCase("0:99 1:99 2:99", 300, TestName = "Run_RowsOfOneLength_AreTakenTogether")]
    [TestCase("0:59 1:58 2:59", 180, TestName = "Run_AllRowsEndEarly_StopsAtTheLastTarget")]
    [TestCase("2:4 0:99 1:2 0:3", 100 + 2 * 5, TestName = "Run_ShortAndLongRows_TakesThemApart")]
    [TestCase("4:9 3:99 2:8 0:49 1:48 0:0 5:9", 100 + 2 * 50 + 3 * 10, TestName = "Run_ThreeKindsOfRows_TakesThemApart")]
    [TestCase("2:9 2:3", 10, TestName = "Run_RowsWithoutTargets_AreLeftOut")]
    public void Run_TargetsAtSomePlaces_GivesWhatTheWholeBatchDoes(string scored, long places)
    {
        using var scope = NewDisposeScope();
        using var model = new SumModel();
        using var batch = NewBatch(scored);
        var whole = model.Run(batch);
        var (wholeLoss, wholeGradients) = Train(model, batch);
        model.IsCausal = true;
        model.PlacesSeen = 0;
        var parts = model.Run(batch);
        Assert.That(model.PlacesSeen, Is.EqualTo(places));
        var (loss, gradients) = Train(model, batch);
        Assert.That((parts.Outputs - whole.Outputs).abs().max().item<float>(), Is.LessThan(1e-6));     // measured 1e-7
        Assert.That(parts.Loss.item<float>(), Is.EqualTo(whole.Loss.item<float>()).Within(1e-6));
        Assert.That(loss, Is.EqualTo(wholeLoss).Within(1e-6));
        foreach (var (gradient, expected) in gradients.Zip(wholeGradients))
            Assert.That((gradient - expected).abs().max().item<float>(), Is.LessThan(1e-6));
    }

    [Test]
    public void Run_EveryPlaceHasATarget_IsUntouched()
    {
        using var scope = NewDisposeScope();
        using var model = new SumModel { IsCausal = true };
        using var batch = new TokenBatch(randint(Vocabulary, [2, 300]), arange(600, int64), randint(Vocabulary, [600]));
        Assert.That(model.Run(batch).Outputs.shape, Is.EqualTo((long[])[600, Vocabulary]));
        Assert.That(model.PlacesSeen, Is.EqualTo(600));
    }

    [Test]
    public void TrainingLoss_NoTargets_IsNotANumberAsForTheWholeBatch()
    {
        using var scope = NewDisposeScope();
        using var model = new SumModel { IsCausal = true };
        using var batch = new TokenBatch(randint(Vocabulary, [2, 30]), zeros(0, int64), zeros(0, int64));
        Assert.That(model.TrainingLoss(batch).item<float>(), Is.NaN);
    }

    private static TokenBatch NewBatch(string scored)
    {
        manual_seed(3);
        (long Row, long Place)[] places = [.. scored.Split(' ').Select(s => s.Split(':')).Select(s => (long.Parse(s[0]), long.Parse(s[1])))];
        var rows = places.Max(p => p.Row) + 1;
        return new TokenBatch(randint(Vocabulary, [rows, 100]), tensor([.. places.Select(p => p.Row * 100 + p.Place)]), randint(Vocabulary, [places.Length]));
    }

    private static (float Loss, Tensor[] Gradients) Train(SumModel model, TokenBatch batch)
    {
        model.zero_grad();
        var loss = model.TrainingLoss(batch);
        loss.backward();
        return (loss.item<float>(), [.. model.parameters().Select(p => p.grad!.clone())]);
    }

    /// <summary>A place's hidden state is the mean of the embeddings up to it.</summary>
    private sealed class SumModel : TokenModel
    {
        private readonly Embedding _embedding = nn.Embedding(Vocabulary, 4);
        private readonly Linear _head = nn.Linear(4, Vocabulary);

        public SumModel() : base(nameof(SumModel)) => RegisterComponents();

        public long PlacesSeen { get; set; }

        public override int VocabSize => Vocabulary;

        public override Tensor Hidden(Tensor ids)
        {
            using var scope = NewDisposeScope();
            PlacesSeen += ids.numel();
            return (_embedding.call(ids).cumsum(1) / arange(1, ids.shape[1] + 1).unsqueeze(-1)).MoveToOuterDisposeScope();
        }

        public override Tensor Head(Tensor hidden) => _head.call(hidden);
    }
}
