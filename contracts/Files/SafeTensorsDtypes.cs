using TorchSharp;

namespace Zoo.Files;

/// <summary>The element types that safetensors and torch share.</summary>
internal static class SafeTensorsDtypes
{
    private static readonly (string Name, torch.ScalarType Dtype, int Size)[] All =
    [
        ("F64", torch.ScalarType.Float64, 8), ("F32", torch.ScalarType.Float32, 4), ("F16", torch.ScalarType.Float16, 2),
        ("BF16", torch.ScalarType.BFloat16, 2), ("I64", torch.ScalarType.Int64, 8), ("I32", torch.ScalarType.Int32, 4),
        ("I16", torch.ScalarType.Int16, 2), ("I8", torch.ScalarType.Int8, 1), ("U8", torch.ScalarType.Byte, 1),
        ("BOOL", torch.ScalarType.Bool, 1),
    ];

    /// <summary>Their names in files, for messages.</summary>
    public static string Names { get; } = string.Join(", ", All.Select(d => d.Name));

    /// <summary>The type of that name in files, or null.</summary>
    public static torch.ScalarType? Parse(string name)
    {
        var index = Array.FindIndex(All, d => d.Name == name);
        return index < 0 ? null : All[index].Dtype;
    }

    /// <summary>Its name in files, or null where the format has none.</summary>
    public static string? Name(torch.ScalarType dtype) => Array.Find(All, d => d.Dtype == dtype).Name;

    /// <summary>Bytes an element.</summary>
    public static int Size(torch.ScalarType dtype) => Array.Find(All, d => d.Dtype == dtype).Size;
}
