namespace Zoo.Host.Verification;

/// <summary>The element of a tensor that is furthest from what it must be.</summary>
/// <param name="Tensor">The tensor, as the golden case names it.</param>
/// <param name="Index">Which element.</param>
/// <param name="Got">Its value.</param>
/// <param name="Expected">The value it must have.</param>
internal sealed record Deviation(string Tensor, IReadOnlyList<long> Index, double Got, double Expected)
{
    /// <summary>The difference; infinite where one of the two is no number.</summary>
    public double AbsoluteError
    {
        get
        {
            if (Got.Equals(Expected))
                return 0;
            var error = Math.Abs(Got - Expected);
            return double.IsNaN(error) ? double.PositiveInfinity : error;
        }
    }
}
