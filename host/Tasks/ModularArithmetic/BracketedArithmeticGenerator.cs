using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>
/// Nested expressions of just so many symbols: a number, -number, (number), (-number), or two expressions with a sign between them in
/// brackets, the lengths of the two drawn evenly. Delétang et al. 2023.
/// </summary>
/// <param name="modulus">Numbers are 0 to modulus - 1.</param>
/// <param name="multiply">Whether there are products.</param>
internal sealed class BracketedArithmeticGenerator(int modulus, bool multiply) : ArithmeticGenerator(modulus)
{
    private const int Brackets = 3;   // two of them, and a sign
    private const int LongestCounted = 512;

    private double[]? _zeros;

    public override int VocabSize => base.VocabSize + 2;

    /// <summary>
    /// Products are 0 too often for an even guess to be the best one: the share of expressions with the value 0. Beyond 512 symbols, where it
    /// hardly grows any more, that of 512.
    /// </summary>
    public override double? Chance(int length) =>
        multiply ? (_zeros ??= ShareOfZeros())[Math.Min(length, LongestCounted)] : base.Chance(length);

    private int OpenBracket => base.VocabSize;

    private int CloseBracket => base.VocabSize + 1;

    public override string Symbol(long id) => id == OpenBracket ? "(" : id == CloseBracket ? ")" : base.Symbol(id);

    protected override int Expression(TokenRow row, int length, ref SampleRandom random)
    {
        var isBracketed = length > 2;
        if (isBracketed)
            row.Add(OpenBracket);
        int value;
        if (length <= 4)
        {
            var isNegative = length % 2 == 0;
            if (isNegative)
                row.Add(Minus);
            var number = Number(row, ref random);
            value = isNegative ? Apply(Minus, 0, number) : number;
        }
        else
        {
            var leftLength = 1 + random.Below(length - Brackets - 1);
            var left = Expression(row, leftLength, ref random);
            var sign = 1 + random.Below(multiply ? 3 : 2);
            row.Add(sign);
            value = Apply(sign, left, Expression(row, length - Brackets - leftLength, ref random));
        }
        if (isBracketed)
            row.Add(CloseBracket);
        return value;
    }

    /// <summary>The share of the value 0 by length, exactly: how the values of a length are distributed follows from those of the shorter ones.</summary>
    private double[] ShareOfZeros()
    {
        var shares = new double[LongestCounted + 1][];
        for (var length = 1; length <= LongestCounted; length++)
        {
            var share = shares[length] = new double[Modulus];
            if (length <= 4)
            {
                Array.Fill(share, 1.0 / Modulus);
                continue;
            }
            var splits = length - Brackets - 1;
            for (var left = 1; left <= splits; left++)
            {
                for (var a = 0; a < Modulus; a++)
                {
                    for (var b = 0; b < Modulus; b++)
                    {
                        var both = shares[left][a] * shares[length - Brackets - left][b] / (3.0 * splits);
                        for (var sign = Plus; sign <= Times; sign++)
                            share[Apply(sign, a, b)] += both;
                    }
                }
            }
        }
        return [.. shares.Select(s => s?[0] ?? 0)];
    }
}
