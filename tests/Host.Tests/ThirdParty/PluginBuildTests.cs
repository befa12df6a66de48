using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;

namespace Zoo.Tests.ThirdParty;

/// <summary>What the package's build targets make of projects that the walk-through's sample is not.</summary>
[TestFixture]
public sealed class PluginBuildTests
{
    private static readonly string PrivatePackage = "System.CommandLine";
    private Workshop? _workshop;

    private Workshop TheWorkshop => _workshop ?? throw new InvalidOperationException("There is no workshop.");

    [OneTimeSetUp]
    public void Pack()
    {
        if (OperatingSystem.IsWindows())
            Assert.Ignore("The workshop's commands are for a POSIX shell.");
        _workshop = new Workshop();
        File.Copy(Path.Combine(Checkout.Root, "samples", "PixelMlp", "nuget.config"), Path.Combine(_workshop.Folder, "nuget.config"));
        Type("pack", "dotnet pack \"$ZOO_REPO/contracts\" -c Release -o packages");
    }

    [OneTimeTearDown]
    public void CleanUp() => _workshop?.Dispose();

    [Test]
    public void Build_OwnVersionKernelsCasesAndPrivatePackage_RecordsContractEmbedsSourcesKeepsTheRest()
    {
        var version = XDocument.Load(Path.Combine(Checkout.Root, "Directory.Packages.props")).Descendants("PackageVersion")
            .Single(p => p.Attribute("Include")!.Value == PrivatePackage).Attribute("Version")!.Value;
        Write("Odd/Odd.csproj", $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <Version>3.2.1</Version>
                <SatelliteResourceLanguages>en</SatelliteResourceLanguages>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="Zoo.Contracts" Version="0.1.0" />
                <PackageReference Include="{PrivatePackage}" Version="{version}" />
              </ItemGroup>
            </Project>
            """);
        Write("Odd/Odd.cs", """
            namespace Odd;

            public static unsafe class Uses
            {
                public static string? Name => new System.CommandLine.RootCommand().Description;
                public static readonly int* Nowhere = null;
            }
            """);
        Write("Odd/top.cu", "extern \"C\" __global__ void top() {}\n");
        Write("Odd/Ops/Scan/scan.cu", "extern \"C\" __global__ void scan() {}\n");
        Write("Odd/golden/case.safetensors", "no case at all, but a file to copy\n");
        Type("odd", "dotnet build Odd -c Release && dotnet publish Odd -c Release -o published");

        foreach (var name in new[] { "Odd/bin/Release/net10.0", "published" })
        {
            var folder = Path.Combine(TheWorkshop.Folder, name);
            string[] golden = name == "published" ? [Path.Combine("golden", "case.safetensors")] : [];
            Assert.That(Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(folder, f)),
                Is.EquivalentTo((string[])["Odd.dll", "Odd.pdb", "Odd.deps.json", PrivatePackage + ".dll", .. golden]), folder);
            var (metadata, resources) = Describe(Path.Combine(folder, "Odd.dll"));
            Assert.That(metadata["Zoo.ContractVersion"], Is.EqualTo("0.1.0"));
            Assert.That(metadata["Zoo.TorchSharpVersion"], Is.EqualTo("0.107.0"));
            Assert.That(resources, Is.EquivalentTo(new[] { "top.cu", "Ops/Scan/scan.cu" }));
        }
    }

    [TestCase("OutputType", "Library", "true")]
    [TestCase("OutputType", "Exe", "false")]
    [TestCase("IsTestProject", "true", "false")]
    public void Targets_ProgramOrTestProject_IsNoPlugin(string property, string value, string isPlugin)
    {
        var project = $"Kind{property}{value}";
        Write($"{project}/{project}.csproj", $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <{property}>{value}</{property}>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="Zoo.Contracts" Version="0.1.0" />
              </ItemGroup>
            </Project>
            """);
        var printed = Type(project, $"dotnet restore {project} -verbosity:quiet && dotnet msbuild {project} -getProperty:ZooPlugin");
        Assert.That(printed.Trim(), Is.EqualTo(isPlugin));
    }

    private string Type(string name, string commands)
    {
        var log = Path.Combine(TheWorkshop.Logs, name);
        var exitCode = TheWorkshop.Run($"{{\n{commands}\n}} > '{log}' 2>&1\n");
        var printed = File.ReadAllText(log);
        Assert.That(exitCode, Is.Zero, printed);
        return printed;
    }

    private void Write(string path, string text)
    {
        var full = Path.Combine(TheWorkshop.Folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
    }

    /// <summary>AssemblyMetadata and resource names, read without loading the assembly.</summary>
    private static (Dictionary<string, string?> Metadata, List<string> Resources) Describe(string dll)
    {
        using var file = new PEReader(File.OpenRead(dll));
        var reader = file.GetMetadataReader();
        var metadata = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (var attribute in reader.GetAssemblyDefinition().GetCustomAttributes().Select(reader.GetCustomAttribute))
        {
            var constructor = reader.GetMemberReference((MemberReferenceHandle)attribute.Constructor);
            var type = reader.GetTypeReference((TypeReferenceHandle)constructor.Parent);
            if (reader.GetString(type.Name) != nameof(AssemblyMetadataAttribute))
                continue;
            var value = reader.GetBlobReader(attribute.Value);
            value.ReadUInt16();   // prolog
            metadata[value.ReadSerializedString()!] = value.ReadSerializedString();
        }
        return (metadata, [.. reader.ManifestResources.Select(r => reader.GetString(reader.GetManifestResource(r).Name))]);
    }
}
