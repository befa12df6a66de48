namespace Zoo.Reports;

/// <summary>Small grey images with captions, such as misread digits.</summary>
/// <param name="Title">Its heading.</param>
/// <param name="Height">Rows of every image.</param>
/// <param name="Width">Columns of every image.</param>
/// <param name="Images">The images.</param>
public sealed record ImageGridItem(string Title, int Height, int Width, IReadOnlyList<CaptionedImage> Images) : ReportItem(Title);
