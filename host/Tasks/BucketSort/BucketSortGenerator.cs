using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>Symbols (ids from 1 on), then as many blanks (id 0), at which the symbols are named in ascending order.</summary>
/// <param name="symbols">Different symbols.</param>
internal sealed class BucketSortGenerator(int symbols) : TokenGenerator
{
    public override int VocabSize => 1 + symbols;

    public override int TimeSteps(int length) => 2 * length;

    public override double? Chance(int length) => 1.0 / symbols;

    public override void Write(TokenRow row, int length, ref SampleRandom random)
    {
        var ids = row.Append(2 * length)[..length];
        foreach (ref var id in ids)
            id = 1 + random.Below(symbols);
        var sorted = ids.ToArray();
        Array.Sort(sorted);
        for (var i = 0; i < length; i++)
            row.Score(length + i, sorted[i]);
    }

    public override string Symbol(long id) => id == 0 ? "." : $"{id}";
}
