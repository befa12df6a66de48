namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Which tokens share a scale: tiles of consecutive tokens, each with 1, 4 or 8 groups that tokens go round in.</summary>
/// <param name="Tile">Tokens of a tile.</param>
/// <param name="Count">Groups of a tile: token t is in group (t mod 8) · count / 8.</param>
internal readonly record struct SageGroups(int Tile, int Count)
{
    /// <summary>The group of a token within its tile.</summary>
    public int Of(int token) => (token & 7) * Count >> 3;

    /// <summary>Scales of so many tokens; those of a last tile are all there.</summary>
    public int Scales(int tokens) => (tokens + Tile - 1) / Tile * Count;
}
