using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>
/// Nested operations on lists of digits, in the Long Range Arena's distribution (Tay et al. 2021): a place holds an operator with 2 to max_args
/// arguments with probability 1/4 and a digit otherwise, and expressions that are too short or too long are drawn again.
/// </summary>
/// <remarks>Ids: the digits 0 to 9 are themselves; then [MIN [MAX [MED [SM and ]; then the padding after the end.</remarks>
/// <param name="options">Sizes.</param>
internal sealed class ListOpsGenerator(ListOpsOptions options) : TokenGenerator
{
    private const int Digits = 10;
    private const int Close = Digits + 4;
    private const int TooLong = -1;
    private const int TrialCount = 20_000;
    private const int LeastAccepted = 20;

    private static readonly string[] Operators = ["[MIN", "[MAX", "[MED", "[SM"];

    public override int VocabSize => Close + 2;

    public override long Padding => Close + 1;

    /// <summary>Requires that expressions of these lengths come up often enough to be found by drawing.</summary>
    /// <exception cref="UserException">They do not.</exception>
    public void RequireLikely()
    {
        var accepted = 0;
        var row = new TokenRow(options.Length, Padding);
        var random = new SampleRandom(0, 0, 0);
        for (var i = 0; i < TrialCount && accepted < LeastAccepted; i++)
            accepted += Try(row, ref random) == TooLong ? 0 : 1;
        if (accepted < LeastAccepted)
        {
            throw new UserException($"Of {TrialCount:N0} random expressions with 'max_depth' {options.MaxDepth} and 'max_args' {options.MaxArguments}, " +
                $"{accepted:N0} have {options.MinLength:N0} to {options.Length:N0} tokens; lower 'min_length', or raise what limits their size.");
        }
    }

    public override void Write(TokenRow row, int length, ref SampleRandom random)
    {
        int value;
        do
            value = Try(row, ref random);
        while (value == TooLong);
        row.Score(value);
    }

    public override string Symbol(long id) => id < Digits ? $"{id}" : id < Close ? Operators[id - Digits] : id == Close ? "]" : ".";

    /// <returns>The value of an expression of a right length, which is written; or <see cref="TooLong"/>.</returns>
    private int Try(TokenRow row, ref SampleRandom random)
    {
        row.Clear();
        var value = Expression(row, depth: 1, ref random);
        return row.Length >= options.MinLength ? value : TooLong;
    }

    /// <returns>Its value, or <see cref="TooLong"/> as soon as that is clear.</returns>
    private int Expression(TokenRow row, int depth, ref SampleRandom random)
    {
        if (depth == options.MaxDepth || random.Below(4) > 0)
        {
            if (row.Length == options.Length)
                return TooLong;
            var digit = random.Below(Digits);
            row.Add(digit);
            return digit;
        }
        var operation = random.Below(Operators.Length);
        Span<int> arguments = stackalloc int[2 + random.Below(options.MaxArguments - 1)];
        if (row.Length + arguments.Length + 2 > options.Length)
            return TooLong;
        row.Add(Digits + operation);
        foreach (ref var argument in arguments)
        {
            argument = Expression(row, depth + 1, ref random);
            if (argument == TooLong)
                return TooLong;
        }
        if (row.Length == options.Length)
            return TooLong;
        row.Add(Close);
        return Apply(operation, arguments);
    }

    private static int Apply(int operation, Span<int> arguments)
    {
        arguments.Sort();
        var sum = 0;
        foreach (var argument in arguments)
            sum += argument;
        return operation switch
        {
            0 => arguments[0],
            1 => arguments[^1],
            2 => (arguments[(arguments.Length - 1) / 2] + arguments[arguments.Length / 2]) / 2,   // of an even number, the middle of two, rounded down
            _ => sum % 10,
        };
    }
}
