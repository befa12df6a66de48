using Zoo.Architectures;
using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>
/// Is the number of b odd? After the last symbol the answer is "a" for even and "b" for odd. Probes a state that every symbol may flip. A row:
/// `b a a b b a b b→b`.
/// </summary>
internal sealed class ParityTask() : FormalLanguageTask<FormalLanguageOptions>(new FormalLanguageOptions())
{
    public override TaskInfo Info { get; } = new("parity", "Is the number of b in a string of a and b odd?", ModelKind.TokenModel)
    {
        Skill = "tracking a state that every symbol may flip",
        Example = "b a a b b a b b→b",
        ExampleOptions = ["length=12", "min_length=6"],
        Chance = "a scaled accuracy of 0, which is an accuracy of 1/2",
    };

    protected override TokenGenerator Generator(FormalLanguageOptions options) => new ParityGenerator();
}
