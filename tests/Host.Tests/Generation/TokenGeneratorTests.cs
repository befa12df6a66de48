using Zoo.Architectures;
using Zoo.Host.Generation;
using Zoo.Kernels;
using Zoo.Tests.Verification;
using static TorchSharp.torch;

namespace Zoo.Tests.Generation;

/// <summary>Continuations of a small recurrent model, held against whole passes over the text.</summary>
internal sealed class TokenGeneratorTests
{
    private static readonly long[] Prompt = [3, 1, 4, 1, 5];

    [Test]
    public void Run_Greedy_EqualsWholePasses()
    {
        using var model = NewModel();
        var generated = Run(model, Request() with { Sampling = new SamplingOptions { Temperature = 0 } }).Texts[0];

        Assert.That(generated, Is.EqualTo(WholePasses(model, Prompt, generated.Count, longest: null)));
        Assert.That(generated.Distinct().Count(), Is.GreaterThan(1));
    }

    [Test]
    public void Run_SameSeed_SameTokensHoweverManySequences()
    {
        using var model = NewModel();
        var three = Run(model, Request() with { Samples = 3 }).Texts;
        var one = Run(model, Request()).Texts;
        var other = Run(model, Request() with { Seed = 8 }).Texts;

        Assert.That(three[0], Is.EqualTo(one[0]));
        Assert.That(three[1], Is.Not.EqualTo(three[0]).And.Not.EqualTo(three[2]));
        Assert.That(other[0], Is.Not.EqualTo(one[0]));
    }

    [Test]
    public void Run_PaddedVocabulary_NeverChoosesPadding()
    {
        using var model = NewModel();
        var ids = Run(model, Request() with { VocabSize = 4, Count = 300, Prompt = [0, 1] }).Texts[0];
        Assert.That(ids, Is.All.LessThan(4));
    }

    [Test]
    public void Run_LongPrompt_IsReadInPiecesWithTheStateHandedOver()
    {
        using var model = NewModel();
        var prompt = Enumerable.Range(0, 9001).Select(i => (long)(i * i % 11)).ToArray();
        var (texts, times, notes) = Run(model, Request() with { Prompt = prompt, Count = 3, Sampling = new SamplingOptions { Temperature = 0 } });

        Assert.That(texts[0], Is.EqualTo(WholePasses(model, prompt, 3, longest: null)));
        Assert.That((times.PromptTokens, times.Tokens), Is.EqualTo((9001, 2)));
        Assert.That(notes, Is.Empty);
    }

    [TestCase(5)]
    [TestCase(9)]
    [TestCase(20)]
    public void Run_BoundedModel_GoesOnInWindowsAndSaysSo(int promptLength)
    {
        using var model = NewModel(TokenFault.ShortButRight);
        var prompt = Enumerable.Range(0, promptLength).Select(i => (long)(i % 11)).ToArray();
        var (texts, _, notes) = Run(model, Request() with { Prompt = prompt, Count = 30, Sampling = new SamplingOptions { Temperature = 0 } });

        Assert.That(texts[0], Is.EqualTo(WholePasses(model, prompt, 30, longest: 9)));
        Assert.That(notes.Single(), Does.StartWith("tiny-token takes 9 tokens at once: ").And.EndsWith("whenever it is full it goes on from the last 4."));
    }

    [Test]
    public void Run_WithoutStepForm_ReadsTheWholeTextEachTime()
    {
        using var model = NewModel(TokenFault.NoState);
        using var right = NewModel();
        var greedy = Request() with { Sampling = new SamplingOptions { Temperature = 0 } };
        var (texts, _, notes) = Run(model, greedy);

        Assert.That(texts[0], Is.EqualTo(Run(right, greedy).Texts[0]));
        Assert.That(notes.Single(), Is.EqualTo("tiny-token has no step form: each token is a pass over the whole text."));
    }

    [Test]
    public void Run_Cancelled_EndsAfterTheTokenAtHand()
    {
        using var model = NewModel();
        using var cancel = new CancellationTokenSource();
        var seen = 0;
        Assert.That(
            () => new TokenGenerator(model, CPU).Run(Request() with { Count = 1000 }, (_, _) => { if (++seen == 7) cancel.Cancel(); }, cancel.Token),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(seen, Is.EqualTo(7));
    }

    [Test]
    public void Run_ManyTokens_LeavesNoTensors()
    {
        using var model = NewModel();
        Run(model, Request());
        var before = Gradients.LiveTensors;
        Run(model, Request() with { Count = 500, Samples = 2 });
        Assert.That(Gradients.LiveTensors, Is.EqualTo(before));
    }

    [Test]
    public void Run_LogitsThatAreNoNumbers_IsASentence()
    {
        using var model = NewModel();
        using (no_grad())
            model.parameters().First().fill_(float.NaN);
        Assert.That(() => Run(model, Request()),
            Throws.TypeOf<UserException>().With.Message.EqualTo("tiny-token cannot go on after 5 tokens: the logit of token 0 is not a number."));
    }

    private static GenerationRequest Request() => new(Prompt, Count: 40, Samples: 1, VocabSize: 11, new SamplingOptions(), Seed: 7);

    private static TinyTokenModel NewModel(TokenFault fault = TokenFault.None)
    {
        manual_seed(2);
        var model = new TinyTokenModel(new TinyImageConfig(), new BuildContext(), fault);
        model.eval();
        return model;
    }

    private static (IReadOnlyList<List<long>> Texts, GenerationTimes Times, List<string> Notes) Run(TokenModel model, GenerationRequest request)
    {
        var texts = Enumerable.Range(0, request.Samples).Select(_ => new List<long>()).ToList();
        var notes = new List<string>();
        var times = new TokenGenerator(model, CPU) { Note = notes.Add }.Run(request, (sample, id) => texts[sample].Add(id));
        return (texts, times, notes);
    }

    /// <summary>The likeliest token after a whole pass, again and again; a bounded model sees what the window leaves it.</summary>
    private static List<long> WholePasses(TokenModel model, long[] prompt, int count, int? longest)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var ids = prompt.ToList();
        var window = prompt.Length > longest ? longest.Value / 2 : prompt.Length;
        for (var i = 0; i < count; i++)
        {
            if (i > 0)
                window = window == longest ? longest.Value / 2 : window + 1;
            var hidden = model.Hidden(tensor(ids[^window..].ToArray(), [1, window]));
            ids.Add(model.Head(hidden.select(1, window - 1)).argmax().item<long>());
        }
        return ids[prompt.Length..];
    }
}
