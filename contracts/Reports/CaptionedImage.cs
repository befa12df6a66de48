namespace Zoo.Reports;

/// <summary>A grey image with a line below it.</summary>
/// <param name="Caption">The line.</param>
/// <param name="Pixels">Row by row, 0 to 255; as JSON they are base64.</param>
public sealed record CaptionedImage(string Caption, byte[] Pixels);
