using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>Numbers and signs in turn; products before sums. An even length means one symbol less.</summary>
/// <param name="modulus">Numbers are 0 to modulus - 1.</param>
/// <param name="multiply">Whether there are products.</param>
internal sealed class FlatArithmeticGenerator(int modulus, bool multiply) : ArithmeticGenerator(modulus)
{
    protected override int Expression(TokenRow row, int length, ref SampleRandom random)
    {
        var total = 0;
        var sign = Plus;   // before the product that is being read
        var product = Number(row, ref random);
        for (var numbers = (length + 1) / 2; numbers > 1; numbers--)
        {
            var next = 1 + random.Below(multiply ? 3 : 2);
            row.Add(next);
            var number = Number(row, ref random);
            if (next == Times)
            {
                product = Apply(Times, product, number);
                continue;
            }
            total = Apply(sign, total, product);
            (sign, product) = (next, number);
        }
        return Apply(sign, total, product);
    }
}
