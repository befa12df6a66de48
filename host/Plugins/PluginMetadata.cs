using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Zoo.Files;

namespace Zoo.Host.Plugins;

/// <summary>What a DLL says of itself, read without loading it.</summary>
/// <param name="Name">The assembly's name.</param>
/// <param name="Version">Its version, without the build's hash.</param>
/// <param name="Contract">The Zoo.Contracts version it was built against; null in a DLL that is no plugin.</param>
/// <param name="TorchSharp">The TorchSharp version it was built against; null in a DLL that is no plugin.</param>
/// <param name="Needs">The assemblies it refers to.</param>
internal sealed record PluginMetadata(string Name, string Version, string? Contract, string? TorchSharp, IReadOnlyList<AssemblyNeed> Needs)
{
    /// <summary>Reads a DLL's metadata.</summary>
    /// <exception cref="PluginRefusedException">It is no .NET assembly.</exception>
    public static PluginMetadata Read(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            if (NativeFormat(stream) is { } format)
                throw new PluginRefusedException($"'{path}' is a native library ({format}), not a .NET assembly.");
            using var image = new PEReader(stream);
            if (!image.HasMetadata)
                throw new PluginRefusedException($"'{path}' is a native library (Windows), not a .NET assembly.");
            return Read(image.GetMetadataReader());
        }
        catch (Exception e) when (e is BadImageFormatException or InvalidOperationException or ArgumentException or OverflowException)
        {
            throw new PluginRefusedException(
                $"'{path}' is damaged, or no .NET assembly: its metadata cannot be read. Build or download it again.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PluginRefusedException($"'{path}' cannot be read: {FileTrouble.Words(e)}", e);
        }
    }

    private static PluginMetadata Read(MetadataReader reader)
    {
        var assembly = reader.GetAssemblyDefinition();
        var version = assembly.Version.ToString(3);
        string? contract = null, torchSharp = null;
        foreach (var handle in assembly.GetCustomAttributes())
        {
            var attribute = reader.GetCustomAttribute(handle);
            switch (TypeName(reader, attribute))
            {
                case "AssemblyInformationalVersionAttribute":
                    version = Strings(reader, attribute, 1)[0]?.Split('+')[0] ?? version;
                    break;
                case "AssemblyMetadataAttribute":
                    var pair = Strings(reader, attribute, 2);
                    if (pair[0] == "Zoo.ContractVersion")
                        contract = pair[1];
                    else if (pair[0] == "Zoo.TorchSharpVersion")
                        torchSharp = pair[1];
                    break;
            }
        }
        var needs = reader.AssemblyReferences.Select(reader.GetAssemblyReference)
            .Select(reference => new AssemblyNeed(reader.GetString(reference.Name), reference.Version));
        return new PluginMetadata(reader.GetString(assembly.Name), version, contract, torchSharp, [.. needs]);
    }

    private static string? TypeName(MetadataReader reader, CustomAttribute attribute) =>
        attribute.Constructor.Kind == HandleKind.MemberReference
            && reader.GetMemberReference((MemberReferenceHandle)attribute.Constructor).Parent is { Kind: HandleKind.TypeReference } parent
            ? reader.GetString(reader.GetTypeReference((TypeReferenceHandle)parent).Name)
            : null;

    /// <summary>The attribute's positional arguments, all of them strings (ECMA-335, II.23.3).</summary>
    private static string?[] Strings(MetadataReader reader, CustomAttribute attribute, int count)
    {
        var blob = reader.GetBlobReader(attribute.Value);
        if (blob.ReadUInt16() != 1)
            throw new BadImageFormatException("A custom attribute has no prolog.");
        var values = new string?[count];
        for (var i = 0; i < count; i++)
            values[i] = blob.ReadSerializedString();
        return values;
    }

    /// <summary>What kind of native library the file starts as; null when it may be a .NET assembly. Leaves the stream at its start.</summary>
    private static string? NativeFormat(FileStream stream)
    {
        Span<byte> magic = stackalloc byte[4];
        var count = stream.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        if (count == magic.Length && magic.SequenceEqual("\u007fELF"u8))
            return "ELF";
        return count == magic.Length && magic.SequenceEqual((ReadOnlySpan<byte>)[0xCF, 0xFA, 0xED, 0xFE]) ? "Mach-O" : null;
    }
}
