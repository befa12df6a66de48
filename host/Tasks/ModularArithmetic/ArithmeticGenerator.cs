using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>Expressions whose value modulo a number is to be named at the "=" after them.</summary>
/// <remarks>Ids: 0 after the end, then + - * =, the numbers from 5 on, and the brackets after them.</remarks>
/// <param name="modulus">Numbers are 0 to modulus - 1.</param>
internal abstract class ArithmeticGenerator(int modulus) : TokenGenerator
{
    protected const int Plus = 1;
    protected const int Minus = 2;
    protected const int Times = 3;
    private const int EqualsSign = 4;
    private const int FirstNumber = 5;

    /// <summary>Numbers are 0 to this - 1.</summary>
    protected int Modulus => modulus;

    public override int VocabSize => FirstNumber + modulus;

    public override int TimeSteps(int length) => length + 1;

    public override double? Chance(int length) => 1.0 / modulus;

    public override void Write(TokenRow row, int length, ref SampleRandom random)
    {
        var value = Expression(row, length, ref random);
        row.Add(EqualsSign);
        row.Score(FirstNumber + value);
    }

    public override string Symbol(long id) => id switch
    {
        0 => ".",
        Plus => "+",
        Minus => "-",
        Times => "*",
        EqualsSign => "=",
        _ => $"{id - FirstNumber}",
    };

    /// <summary>Writes an expression of about that many symbols.</summary>
    /// <returns>Its value, from 0 to modulus - 1.</returns>
    protected abstract int Expression(TokenRow row, int length, ref SampleRandom random);

    /// <summary>Writes a number.</summary>
    protected int Number(TokenRow row, ref SampleRandom random)
    {
        var number = random.Below(modulus);
        row.Add(FirstNumber + number);
        return number;
    }

    /// <summary>The value of two numbers and a sign between them.</summary>
    protected int Apply(int sign, int left, int right) => sign switch
    {
        Plus => (left + right) % modulus,
        Minus => (left - right + modulus) % modulus,
        _ => left * right % modulus,
    };
}
