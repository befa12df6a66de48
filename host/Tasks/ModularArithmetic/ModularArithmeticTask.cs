using Zoo.Architectures;
using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>
/// What is the value of the expression modulo five? The answer comes at "=". Without brackets, multiplication goes first; with them the
/// expression is nested. Probes a state that holds a running result, and with brackets a stack. A row:
/// `2 * 0 - 1 * 4 =→1`.
/// </summary>
internal sealed class ModularArithmeticTask() : FormalLanguageTask<ModularArithmeticOptions>(new ModularArithmeticOptions())
{
    public override TaskInfo Info { get; } = new("modular-arithmetic", "The value of an expression modulo 5, without or with brackets", ModelKind.TokenModel)
    {
        Skill = "carrying an intermediate result; with brackets, a stack of them",
        Example = "2 * 0 - 1 * 4 =→1",
        ExampleOptions = ["length=12", "min_length=8"],
        Chance = "a scaled accuracy of 0, which is an accuracy of 1 / modulus: 1/5; with brackets and multiplication that of the answer 0, 0.31",
    };

    protected override TokenGenerator Generator(ModularArithmeticOptions options) => options.Brackets
        ? new BracketedArithmeticGenerator(options.Modulus, options.Multiply)
        : new FlatArithmeticGenerator(options.Modulus, options.Multiply);
}
