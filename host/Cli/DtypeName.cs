using System.CommandLine;
using TorchSharp;

namespace Zoo.Host.Cli;

/// <summary>The `--dtype` option: the arithmetic of products with weights.</summary>
internal static class DtypeName
{
    /// <summary>Single precision.</summary>
    public const string Float32 = "fp32";

    public const string BFloat16 = "bf16";

    /// <summary>A new option; null when it is not given.</summary>
    public static Option<string?> Option(string description) => OptionOf.Text("--dtype", "DTYPE", description);

    /// <summary>The type that was typed.</summary>
    /// <exception cref="UserException">It is none.</exception>
    public static torch.ScalarType Parse(string typed) => typed switch
    {
        Float32 => torch.ScalarType.Float32,
        BFloat16 => torch.ScalarType.BFloat16,
        _ => throw new UserException($"--dtype {typed}: it must be {Float32} or {BFloat16}."),
    };

    /// <summary>Whether a name is one of a type.</summary>
    public static bool IsName(string typed) => typed is Float32 or BFloat16;

    /// <summary>What the user types for a type.</summary>
    public static string Of(torch.ScalarType dtype) => dtype == torch.ScalarType.BFloat16 ? BFloat16 : Float32;
}
