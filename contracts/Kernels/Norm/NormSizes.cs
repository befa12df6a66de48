namespace Zoo.Kernels;

/// <summary>Rows to normalise, and how they are shared.</summary>
/// <param name="Rows">How many.</param>
/// <param name="Dim">Numbers a row.</param>
internal readonly record struct NormSizes(long Rows, int Dim)
{
    private const int MostPieces = 16;
    private const long NumbersOfAPiece = 1 << 14;

    /// <summary>
    /// Pieces of rows. A function of the sizes alone, and each piece sums its own part of the weight's gradient: results do not depend on the
    /// number of threads.
    /// </summary>
    public int Pieces => (int)Math.Clamp(Rows * Dim / NumbersOfAPiece, 1, Math.Min(MostPieces, Math.Max(Rows, 1)));

    /// <summary>The first row of a piece; that of piece <see cref="Pieces"/> is the end.</summary>
    public long FirstRow(int piece) => Rows * piece / Pieces;

    /// <summary>ε of a call.</summary>
    public static double Epsilon(OpOptions options) => options.Get("eps", RmsNorm.DefaultEpsilon);
}
