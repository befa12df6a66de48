using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>Even draws of symbols (ids from 1 on), drawn again until one occurs more often than every other; it is the answer.</summary>
/// <param name="symbols">Different symbols.</param>
internal sealed class MajorityGenerator(int symbols) : TokenGenerator
{
    private readonly int[] _counts = new int[symbols + 1];

    public override int VocabSize => 1 + symbols;

    public override double? Chance(int length) => 1.0 / symbols;

    public override void Write(TokenRow row, int length, ref SampleRandom random)
    {
        var ids = row.Append(length);
        while (true)
        {
            Array.Clear(_counts);
            long leader = 0;
            var isAlone = false;
            foreach (ref var id in ids)
            {
                id = 1 + random.Below(symbols);
                var count = ++_counts[id];
                if (id == leader || count > _counts[leader])
                    (leader, isAlone) = (id, true);
                else if (count == _counts[leader])
                    isAlone = false;
            }
            if (!isAlone)
                continue;
            row.Score(leader);
            return;
        }
    }
}
