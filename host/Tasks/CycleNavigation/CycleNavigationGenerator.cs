using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>Steps on a cycle: stay (id 1), forward (2), back (3); after the last step comes the place that was reached, ids from 4 on.</summary>
/// <param name="places">Places on the cycle.</param>
internal sealed class CycleNavigationGenerator(int places) : TokenGenerator
{
    private const int FirstPlace = 4;

    public override int VocabSize => FirstPlace + places;

    public override double? Chance(int length) => 1.0 / places;

    public override void Write(TokenRow row, int length, ref SampleRandom random)
    {
        var place = 0;
        foreach (ref var id in row.Append(length))
        {
            var step = random.Below(3);
            place += step == 2 ? places - 1 : step;
            id = 1 + step;
        }
        row.Score(FirstPlace + place % places);
    }

    public override string Symbol(long id) => id switch { 0 => ".", 1 => "=", 2 => "+", 3 => "-", _ => $"{id - FirstPlace}" };
}
