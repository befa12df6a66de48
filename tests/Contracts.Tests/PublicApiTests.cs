using System.Runtime.CompilerServices;
using PublicApiGenerator;

namespace Zoo.Tests;

/// <summary>What Zoo.Contracts shows to plugins is a reviewed text: a change to it is seen before it is published.</summary>
public sealed class PublicApiTests
{
    private const string AcceptVariable = "ZOO_ACCEPT_API";

    [Test]
    public void Contracts_PublicApi_IsTheReviewedOne()
    {
        var api = typeof(UserException).Assembly.GeneratePublicApi(new ApiGeneratorOptions
        {
            IncludeAssemblyAttributes = false,
            UseDenyNamespacePrefixesForExtensionMethods = false,
            DenyNamespacePrefixes = [],
        }).ReplaceLineEndings("\n").TrimEnd() + "\n";
        var path = ReviewedFile();
        if (Environment.GetEnvironmentVariable(AcceptVariable) == "1")
            File.WriteAllText(path, api);

        var reviewed = File.Exists(path) ? File.ReadAllText(path).ReplaceLineEndings("\n") : "";
        var (before, now) = (reviewed.Split('\n'), api.Split('\n'));
        var gone = before.Except(now).Select(line => "- " + line.Trim());
        var added = now.Except(before).Select(line => "+ " + line.Trim());
        Assert.That(api == reviewed, Is.True,
            $"The public API of Zoo.Contracts is not the one in tests/Contracts.Tests/{Path.GetFileName(path)}:\n" +
            string.Join('\n', gone.Concat(added)) +
            $"\nIf that is meant, run this and commit the file:\n  {AcceptVariable}=1 dotnet test tests/Contracts.Tests -c Release --filter {nameof(PublicApiTests)}");
    }

    private static string ReviewedFile([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "PublicApi.txt");
}
