using Zoo.Architectures;
using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>
/// Which symbol occurs most often? One always leads alone. Probes counting many symbols at once. A row:
/// `4 9 8 9 8 8 6 6 2 4→8`.
/// </summary>
internal sealed class MajorityTask() : FormalLanguageTask<MajorityOptions>(new MajorityOptions())
{
    public override TaskInfo Info { get; } = new("majority", "Which symbol occurs most often in the string?", ModelKind.TokenModel)
    {
        Skill = "counting many symbols at once and comparing the counts",
        Example = "4 9 8 9 8 8 6 6 2 4→8",
        ExampleOptions = ["length=12", "min_length=6", "symbols=9"],
        Chance = "a scaled accuracy of 0, which is an accuracy of 1 / symbols: 1/63",
    };

    protected override TokenGenerator Generator(MajorityOptions options) => new MajorityGenerator(options.SymbolCount);
}
