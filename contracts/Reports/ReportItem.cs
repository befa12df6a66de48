using System.Text.Json.Serialization;

namespace Zoo.Reports;

/// <summary>Something that a report shows, independent of how: kept as JSON beside a run, drawn by `zoo report`.</summary>
/// <param name="Title">Its heading.</param>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(MatrixItem), "matrix")]
[JsonDerivedType(typeof(ImageGridItem), "images")]
[JsonDerivedType(typeof(PlotItem), "plot")]
[JsonDerivedType(typeof(TextItem), "text")]
public abstract record ReportItem(string Title);
