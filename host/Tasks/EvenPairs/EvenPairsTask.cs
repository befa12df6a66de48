using Zoo.Architectures;
using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>
/// Do "ab" and "ba" together occur an even number of times? They do just where the first and the last symbol are the same; the answer is "a" for
/// even and "b" for odd. Probes keeping the first symbol. A row:
/// `a a a a b a→a`.
/// </summary>
internal sealed class EvenPairsTask() : FormalLanguageTask<FormalLanguageOptions>(new FormalLanguageOptions())
{
    public override TaskInfo Info { get; } = new("even-pairs", "Do ab and ba together occur an even number of times?", ModelKind.TokenModel)
    {
        Skill = "keeping the first symbol and comparing it with the last, or counting changes modulo 2",
        Example = "a a a a b a→a",
        ExampleOptions = ["length=12", "min_length=6"],
        Chance = "a scaled accuracy of 0, which is an accuracy of 1/2",
    };

    protected override TokenGenerator Generator(FormalLanguageOptions options) => new EvenPairsGenerator();
}
