using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>Strings of a (id 1) and b (id 2); after the last symbol comes a where b occurs an even number of times, and b otherwise.</summary>
internal sealed class ParityGenerator : TokenGenerator
{
    public override int VocabSize => 3;

    public override double? Chance(int length) => 1.0 / 2;

    public override void Write(TokenRow row, int length, ref SampleRandom random)
    {
        var odd = 0;
        foreach (ref var id in row.Append(length))
        {
            var symbol = random.Below(2);
            odd ^= symbol;
            id = 1 + symbol;
        }
        row.Score(1 + odd);
    }

    public override string Symbol(long id) => id switch { 1 => "a", 2 => "b", _ => "." };
}
