using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>
/// Pairs of key and value, then every key again once, at distances that follow a power law; at each the value is to be named. Zoology's
/// generator (Arora et al. 2023).
/// </summary>
/// <param name="options">Sizes.</param>
internal sealed class MqarGenerator(MqarOptions options) : TokenGenerator
{
    private const double TwoTo64 = 18446744073709551616.0;

    private readonly Dictionary<int, ulong[]> _places = [];   // by how many there are

    public override int VocabSize => options.VocabSize;

    public override void Write(TokenRow row, int length, ref SampleRandom random)
    {
        var pairs = options.PairCount;
        var half = options.VocabSize / 2;
        var keys = Distinct(half - 1, ref random);
        var values = Distinct(options.VocabSize - half, ref random);
        for (var i = 0; i < pairs; i++)
        {
            row.Add(1 + keys[i]);
            row.Add(half + values[i]);
        }
        var queries = row.Append(length - 2 * pairs);
        var law = PlacesOf(queries.Length / 2);
        var taken = new HashSet<int>(pairs);
        for (var i = 0; i < pairs; i++)
        {
            int place;
            do
                place = 2 * Draw(law, random.Next());
            while (!taken.Add(place));
            queries[place] = 1 + keys[i];
            row.Score(2 * pairs + place, half + values[i]);
        }
        if (!options.RandomNonQueries)
            return;
        foreach (ref var id in queries)
        {
            if (id == 0)
                id = random.Below(options.VocabSize);
        }
    }

    /// <summary>Numbers below <paramref name="limit"/>, one for each pair, all different.</summary>
    private int[] Distinct(int limit, ref SampleRandom random)
    {
        // Floyd's choice of a set would leave its order uneven; a draw again where a number was taken is even and short while few are.
        if (limit >= 2 * options.PairCount)
        {
            var taken = new HashSet<int>(options.PairCount);
            var numbers = new int[options.PairCount];
            for (var i = 0; i < numbers.Length; i++)
            {
                do
                    numbers[i] = random.Below(limit);
                while (!taken.Add(numbers[i]));
            }
            return numbers;
        }
        var all = Enumerable.Range(0, limit).ToArray();
        for (var i = 0; i < options.PairCount; i++)
        {
            var j = i + random.Below(limit - i);
            (all[i], all[j]) = (all[j], all[i]);
        }
        return all[..options.PairCount];
    }

    /// <summary>
    /// Cumulative weights of the places, p(i) ∝ i^(a - 1) from i = 1, scaled to 2⁶⁴. Whole numbers, so that a last bit of the power function,
    /// which machines may round differently, moves a draw in 2⁵⁰ at most.
    /// </summary>
    private ulong[] PlacesOf(int count)
    {
        if (_places.TryGetValue(count, out var known))
            return known;
        var cumulative = new double[count];
        var sum = 0.0;
        for (var i = 0; i < count; i++)
            cumulative[i] = sum += Math.Pow(i + 1, options.PowerA - 1);
        return _places[count] = [.. cumulative.Select((c, i) => i == count - 1 ? ulong.MaxValue : (ulong)(c / sum * TwoTo64))];
    }

    private static int Draw(ulong[] cumulative, ulong random)
    {
        var found = Array.BinarySearch(cumulative, random);
        return found >= 0 ? found : ~found;
    }
}
