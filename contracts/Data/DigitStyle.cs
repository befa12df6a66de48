using System.Globalization;

namespace Zoo.Data;

/// <summary>One way to write a digit: the points that the pen passes, in two extreme poses between which every digit draws its own.</summary>
internal sealed class DigitStyle
{
    private const float FreeDistance = 0.3f;   // points this far from their neighbours wander fully, nearer ones less

    private DigitStyle(int share, float[] from, float[] to, bool[] isCorner, int[] strokeEnds)
    {
        (Share, From, To, IsCorner, StrokeEnds) = (share, from, to, isCorner, strokeEnds);
        Freedom = [.. Enumerable.Range(0, isCorner.Length).Select(FreedomOf)];
    }

    /// <summary>How many of a hundred writers write the digit so.</summary>
    public int Share { get; }

    /// <summary>x and y of each point in the first pose; 0 to 1, y downwards.</summary>
    public float[] From { get; }

    /// <summary>The same points in the second pose.</summary>
    public float[] To { get; }

    /// <summary>Whether the pen turns sharply at a point instead of passing it smoothly.</summary>
    public bool[] IsCorner { get; }

    /// <summary>The number of the point after the last of each stroke.</summary>
    public int[] StrokeEnds { get; }

    /// <summary>How far each point may wander, 0 to 1: where points are close together, the line would become ragged.</summary>
    public float[] Freedom { get; }

    public int PointCount => IsCorner.Length;

    /// <summary>Whether the stroke of the points from <paramref name="start"/> to before <paramref name="end"/> comes back to where it began.</summary>
    public bool IsClosed(int start, int end) => From[2 * start] == From[2 * end - 2] && From[2 * start + 1] == From[2 * end - 1];

    /// <summary>The styles of each digit. In hundredths of the height; "!" marks a corner, ";" lifts the pen.</summary>
    public static DigitStyle[][] OfDigit { get; } =
    [
        [
            Of(50, "50,2 28,14 16,42 18,72 34,95 58,96 78,78 84,44 74,14 50,2", "54,3 40,16 31,42 32,72 42,94 54,96 66,80 70,46 66,16 54,3"),
            Of(32, "72,14 50,2 26,18 16,50 24,84 50,97 74,82 84,48 74,16 56,4", "66,10 54,3 40,20 32,52 38,86 50,96 64,78 70,44 64,12 50,8"),
            Of(18, "38,10 20,32 17,64 34,94 60,95 80,70 82,34 64,6 42,5 28,22", "46,5 34,28 30,62 38,92 54,95 66,70 69,34 60,8 48,6 40,22"),
        ],
        [
            Of(76, "51,0 51,33 50,66 50,100", "60,0 54,34 49,66 42,100"),
            Of(16, "32,22 44,13 55,0! 53,50 52,100", "40,16 48,10 54,1! 53,50 50,100"),
            Of(8, "32,22 44,14 52,2! 52,50 52,97; 28,98 50,97 74,97", "38,16 46,11 54,2! 53,50 50,96; 36,96 52,96 66,97"),
        ],
        [
            Of(45, "20,24 36,4 62,4 74,24 62,52 38,78 18,97! 50,94 84,96", "24,16 44,2 66,10 70,32 56,58 36,80 20,94! 46,97 78,92"),
            Of(38, "20,22 40,3 66,6 74,28 56,62 30,92 15,88 26,76 48,88 68,97 88,90", "26,20 44,4 64,10 66,34 48,66 30,88 20,92 24,82 44,84 62,92 80,96"),
            Of(17, "16,14 48,2 74,16 68,44 38,70 18,92! 42,84 62,96 86,90", "24,28 30,8 60,3 72,26 50,60 24,90! 44,92 62,90 84,86"),
        ],
        [
            Of(55, "22,12 48,2 72,16 66,38 42,48! 70,56 78,78 58,97 34,97 18,86", "28,8 50,3 66,14 62,34 44,46! 64,52 70,72 54,94 36,98 22,94"),
            Of(27, "22,16 50,2 72,16 62,42 42,50 34,45 46,43 72,56 77,80 52,98 18,86", "26,10 52,3 68,20 54,44 40,52 36,48 46,46 64,58 66,82 44,97 22,92"),
            Of(18, "20,6 46,5 74,4! 58,24 42,42! 70,52 78,76 56,97 20,90", "24,12 44,4 70,8! 56,26 44,40! 66,48 70,72 48,96 24,92"),
        ],
        [
            Of(44, "28,4 24,30 18,54! 50,55 82,50; 70,6 66,52 62,100", "22,10 22,30 26,50! 48,52 74,46; 72,2 68,50 60,98"),
            Of(24, "62,2 38,34 12,66! 50,66 90,63; 62,2 62,50 60,100", "66,4 44,34 22,58! 52,60 86,54; 67,2 64,50 60,100"),
            Of(32, "24,6 18,34 28,52 50,52 70,40; 74,2 69,50 60,100", "32,2 20,36 26,60 48,58 68,44; 66,10 66,52 66,100"),
        ],
        [
            Of(40, "34,5 32,24 30,44! 52,38 74,52 74,80 50,98 20,90; 34,5 54,4 78,3", "36,10 32,28 28,46! 48,44 64,58 62,82 44,97 24,94; 38,10 60,8 84,2"),
            Of(38, "78,4 58,4 36,5! 32,24 30,44! 54,38 76,56 70,86 44,98 18,88", "80,6 60,9 42,12! 36,28 32,46! 52,46 64,62 56,88 38,97 20,94"),
            Of(22, "80,6 54,4 36,14 34,36 52,46 70,60 68,84 44,97 18,88", "76,2 56,6 42,18 40,40 54,50 64,64 58,86 40,96 22,92"),
        ],
        [
            Of(50, "66,2 42,18 24,48 20,76 36,97 62,92 70,70 52,54 30,64 22,82", "58,2 40,20 28,50 26,80 38,97 54,92 60,76 50,64 36,72 30,86"),
            Of(28, "56,0 40,28 24,64 32,95 60,95 72,74 54,60 30,72", "64,0 42,34 28,68 34,95 54,96 64,80 52,68 34,78"),
            Of(22, "76,12 56,2 32,24 20,60 30,92 54,98 70,80 58,61 38,66 24,84", "68,4 54,4 38,28 28,64 36,94 54,96 62,80 52,68 38,76 30,90"),
        ],
        [
            Of(46, "16,8 48,7 82,5! 62,48 44,100", "22,14 48,9 74,6! 62,48 54,98"),
            Of(18, "16,8 48,7 82,5! 62,48 44,100; 36,54 56,51 78,49", "24,6 48,7 72,8! 62,48 50,98; 42,48 58,49 74,48"),
            Of(18, "18,24 19,14 21,6! 50,8 80,5! 60,48 46,100", "20,18 21,12 22,8! 48,9 76,6! 64,48 56,100"),
            Of(18, "16,12 46,3 76,8 70,34 52,66 42,100", "20,8 50,6 70,12 66,38 56,68 52,100"),
        ],
        [
            Of(54, "72,14 48,2 28,16 36,38 64,58 74,80 52,98 26,84 36,58 64,36 73,12", "68,12 52,3 38,18 42,40 56,60 60,82 46,97 32,84 42,60 60,36 70,10"),
            Of(28, "50,2 27,16 36,40 66,62 72,86 48,98 24,84 34,60 64,40 72,16 50,2", "56,2 38,18 42,42 58,64 60,86 46,97 32,82 42,60 62,40 68,18 58,3"),
            Of(18, "50,2 28,12 30,38 50,47 70,36 72,12 50,2; 50,47 25,60 24,86 50,98 76,86 75,60 50,47", "54,3 40,14 40,36 52,46 64,36 66,14 54,3; 51,46 36,60 32,86 46,97 60,86 62,60 51,46"),
        ],
        [
            Of(42, "71,20 52,3 27,14 23,38 42,51 64,38 72,14! 69,50 65,100", "66,14 52,4 36,18 34,38 46,46 60,34 67,12! 62,50 52,100"),
            Of(30, "70,22 50,3 25,18 27,42 50,49 70,24! 71,60 58,92 30,96", "68,18 54,4 36,20 36,40 50,44 66,22! 66,62 52,94 36,92"),
            Of(28, "73,8 46,2 22,24 32,47 58,40 73,10! 66,58 50,100", "70,4 48,4 30,22 36,38 56,32 70,6! 60,54 44,98"),
        ],
    ];

    private float FreedomOf(int point)
    {
        var before = StrokeEnds.Contains(point) || point == 0 ? FreeDistance : Distance(point - 1, point);
        var after = StrokeEnds.Contains(point + 1) ? FreeDistance : Distance(point, point + 1);
        return Math.Min(1, Math.Min(before, after) / FreeDistance);
    }

    private float Distance(int a, int b)
    {
        float dx = From[2 * a] - From[2 * b], dy = From[2 * a + 1] - From[2 * b + 1];
        return MathF.Sqrt(dx * dx + dy * dy);
    }

    private static DigitStyle Of(int share, string from, string to)
    {
        var isCorner = new List<bool>();
        var strokeEnds = new List<int>();
        foreach (var stroke in from.Split(';'))
        {
            isCorner.AddRange(stroke.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(point => point.EndsWith('!')));
            strokeEnds.Add(isCorner.Count);
        }
        return new DigitStyle(share, Points(from), Points(to), [.. isCorner], [.. strokeEnds]);
    }

    private static float[] Points(string text) =>
        [.. text.Split([' ', ',', ';', '!'], StringSplitOptions.RemoveEmptyEntries).Select(number => int.Parse(number, CultureInfo.InvariantCulture) / 100f)];
}
