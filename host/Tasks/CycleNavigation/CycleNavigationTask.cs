using Zoo.Architectures;
using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>
/// Where on a cycle of five places does one end who starts at 0 and takes these steps (stay "=", forward "+", back "-")? Probes counting modulo a
/// number. A row:
/// `- + - + = + + - = + +→3`.
/// </summary>
internal sealed class CycleNavigationTask() : FormalLanguageTask<CycleNavigationOptions>(new CycleNavigationOptions())
{
    public override TaskInfo Info { get; } = new("cycle-navigation", "Where on a cycle of five places do these steps end?", ModelKind.TokenModel)
    {
        Skill = "tracking a place: adding modulo 5, step by step",
        Example = "- + - + = + + - = + +→3",
        ExampleOptions = ["length=12", "min_length=6"],
        Chance = "a scaled accuracy of 0, which is an accuracy of 1 / places: 1/5",
    };

    protected override TokenGenerator Generator(CycleNavigationOptions options) => new CycleNavigationGenerator(options.PlaceCount);
}
