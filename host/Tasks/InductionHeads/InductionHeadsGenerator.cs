using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>Random tokens with a marker at a random place and again at the end, where the token after the first one is to be named.</summary>
/// <param name="vocabSize">Ids; the last one is the marker.</param>
internal sealed class InductionHeadsGenerator(int vocabSize) : TokenGenerator
{
    public override int VocabSize => vocabSize;

    public override void Write(TokenRow row, int length, ref SampleRandom random)
    {
        var marker = vocabSize - 1;
        var place = random.Below(length - 2);   // the token after it is no marker
        var ids = row.Append(length);
        for (var t = 0; t < length - 1; t++)
            ids[t] = random.Below(marker);
        ids[place] = ids[^1] = marker;
        row.Score(ids[place + 1]);
    }
}
