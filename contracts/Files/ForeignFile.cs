namespace Zoo.Files;

/// <summary>Recognises files that people take for safetensors, and says what to do with them.</summary>
internal static class ForeignFile
{
    private static readonly string[] PickleEndings = [".bin", ".pth", ".pt", ".ckpt", ".pkl"];

    /// <summary>Whether the name is one that pickled checkpoints have.</summary>
    public static bool HasPickleName(string path) => PickleEndings.Contains(Path.GetExtension(path).ToLowerInvariant());

    /// <summary>What the file is, by its first bytes, as a sentence that starts with "it"; null when unknown.</summary>
    /// <param name="path">As the user typed it.</param>
    /// <param name="start">The first bytes, some sixteen of them.</param>
    public static string? Describe(string path, ReadOnlySpan<byte> start)
    {
        if (start.StartsWith("PK\u0003\u0004"u8) && Path.GetExtension(path).Equals(".npz", StringComparison.OrdinalIgnoreCase))
            return $"it is an archive of NumPy. {NumpyLine(path)}";
        if (start.StartsWith("PK\u0003\u0004"u8) || start is [0x80, >= 2 and <= 5, ..])
            return $"it is a Python pickle, which can run code when it is read. {ConversionLine(path)}";
        if (start.StartsWith("GGUF"u8))
            return "it is a GGUF file. Take the original project's safetensors instead";
        if (start is [0x89, (byte)'H', (byte)'D', (byte)'F', ..])
            return "it is an HDF5 file. Take the original project's safetensors instead";
        if (start is [0x1F, 0x8B, ..])
            return "it is compressed with gzip. Unpack it first";
        if (start.StartsWith("version https://"u8))
            return "it is a Git LFS pointer, not the file itself. Run `git lfs pull` where it came from";
        if (start.TrimStart(" \r\n\t"u8) is [(byte)'<', ..])
            return "it is a web page. Download the file itself";
        if (start.TrimStart(" \r\n\t"u8) is [(byte)'{', ..])
            return $"it is JSON text. Weights are a .safetensors file or its {SafeTensorsShards.IndexEnding}";
        return null;
    }

    /// <summary>How a pickled checkpoint becomes a safetensors file.</summary>
    public static string ConversionLine(string path)
    {
        var target = Path.ChangeExtension(path, ".safetensors");
        return "Convert it where Python, torch and safetensors are installed:\n" +
            $"  python -c \"import torch, safetensors.torch as s; s.save_file({{k: v.clone().contiguous() " +
            $"for k, v in torch.load({Python(path)}, map_location='cpu', weights_only=True).items()}}, {Python(target)})\"\n" +
            "and use the new file";
    }

    private static string NumpyLine(string path) => "Convert it where Python, numpy and safetensors are installed:\n" +
        $"  python -c \"import numpy, safetensors.numpy as s; s.save_file(dict(numpy.load({Python(path)})), {Python(Path.ChangeExtension(path, ".safetensors"))})\"\n" +
        "and use the new file";

    private static string Python(string text) => $"'{text.Replace("\\", "\\\\").Replace("'", "\\'")}'";
}
