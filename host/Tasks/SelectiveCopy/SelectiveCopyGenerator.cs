using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>Tokens among noise, then a marker for each of them, where they are to be named in their order.</summary>
/// <param name="tokens">How many, M in S4.</param>
/// <param name="vocabSize">Ids, A in S4: 0 is noise, A - 1 the marker, those between are copied.</param>
internal sealed class SelectiveCopyGenerator(int tokens, int vocabSize) : TokenGenerator
{
    public override int VocabSize => vocabSize;

    /// <summary>L + 2 M.</summary>
    public override int TimeSteps(int length) => length + 2 * tokens;

    public override void Write(TokenRow row, int length, ref SampleRandom random)
    {
        var places = row.Append(length + tokens);
        // Each place in turn takes a token with probability (tokens left) / (places left): every choice of places is equally likely, and the
        // order is theirs.
        var left = tokens;
        for (var place = 0; left > 0; place++)
        {
            if (random.Below(places.Length - place) >= left)
                continue;
            places[place] = 1 + random.Below(vocabSize - 2);
            left--;
        }
        foreach (var token in places)
        {
            if (token == 0)
                continue;
            row.Add(vocabSize - 1);
            row.Score(token);
        }
    }
}
