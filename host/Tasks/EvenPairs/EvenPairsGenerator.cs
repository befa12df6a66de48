using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>Strings of a (id 1) and b (id 2); after the last symbol comes a where neighbours differ an even number of times, and b otherwise.</summary>
internal sealed class EvenPairsGenerator : TokenGenerator
{
    public override int VocabSize => 3;

    public override double? Chance(int length) => 1.0 / 2;

    public override void Write(TokenRow row, int length, ref SampleRandom random)
    {
        var ids = row.Append(length);
        foreach (ref var id in ids)
            id = 1 + random.Below(2);
        row.Score(ids[0] == ids[^1] ? 1 : 2);
    }

    public override string Symbol(long id) => id switch { 1 => "a", 2 => "b", _ => "." };
}
