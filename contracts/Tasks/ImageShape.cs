namespace Zoo.Tasks;

/// <summary>Sizes of an image.</summary>
/// <param name="Channels">Planes: 1 for grey.</param>
/// <param name="Height">Rows.</param>
/// <param name="Width">Columns.</param>
public sealed record ImageShape(int Channels, int Height, int Width);
