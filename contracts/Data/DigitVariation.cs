namespace Zoo.Data;

/// <summary>How much the generated digits differ from each other. Spreads are standard deviations.</summary>
/// <remarks>
/// The defaults were set by measurement, 7,291 training and 2,007 test digits of each: nearest neighbour misses 5.5 % (MNIST 5.6), a
/// network like that of 1989 after 23 passes 4.5 % (MNIST 4.9), mean ink is 0.130 (MNIST 0.131). Changing a default changes every digit,
/// so it needs a new <see cref="DigitGenerator.Version"/>.
/// </remarks>
public sealed record DigitVariation
{
    /// <summary>What training and test digits are drawn with unless somebody sets otherwise: about as varied as MNIST.</summary>
    public static DigitVariation Default { get; } = new();

    /// <summary>
    /// How unevenly carefulness is spread: a digit's jitter and elastic distortion are multiplied by 1 for the neatest and by
    /// 1 + this for the sloppiest; most are nearer to the neat end.
    /// </summary>
    public float Sloppiness { get; init; } = 1.8f;

    /// <summary>Spread of each control point of a stroke, as a share of the digit's height.</summary>
    public float Jitter { get; init; } = 0.028f;

    /// <summary>Spread of the smooth displacement field, as a share of the digit's height.</summary>
    public float Elastic { get; init; } = 0.04f;

    /// <summary>
    /// Spread of how far strokes begin and end before or behind where they should, as a share of their first or last piece.
    /// </summary>
    public float Overshoot { get; init; } = 0.18f;

    /// <summary>Spread of the rotation, in radians (nearly: the tangent of the half angle is what is drawn).</summary>
    public float Rotation { get; init; } = 0.115f;

    /// <summary>Mean of the slant: how far the top leans to the right, as a share of the height.</summary>
    public float SlantMean { get; init; } = 0.14f;

    /// <summary>Spread of the slant.</summary>
    public float Slant { get; init; } = 0.21f;

    /// <summary>Spread of the width's factor.</summary>
    public float Aspect { get; init; } = 0.16f;

    /// <summary>Spread of the size's factor.</summary>
    public float Size { get; init; } = 0.03f;

    /// <summary>Spread of the shift from the centre of mass in each direction, in pixels.</summary>
    public float Shift { get; init; } = 0.35f;

    /// <summary>Half the mean width of a line, in pixels.</summary>
    public float PenRadius { get; init; } = 1.36f;

    /// <summary>Spread of half a line's width between digits, in pixels.</summary>
    public float PenSpread { get; init; } = 0.33f;

    /// <summary>Spread of the line's width along a stroke, as a share of it.</summary>
    public float Pressure { get; init; } = 0.12f;

    /// <summary>The widest blurred edge of a line, in pixels; the sharpest is half of it.</summary>
    public float Blur { get; init; } = 1.5f;

    /// <summary>Spread of the noise on ink and its edges, of 255.</summary>
    public float Noise { get; init; } = 7f;
}
