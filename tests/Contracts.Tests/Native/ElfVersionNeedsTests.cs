using System.Text;
using Zoo.Native;

namespace Zoo.Tests.Native;

[Platform("Linux", Reason = "Only there is TorchSharp's library an ELF file.")]
public sealed class ElfVersionNeedsTests
{
    private const string NewerRuntime = "GLIBCXX_3.4.32";

    // The original, not the copy that may have been patched already.
    private static byte[] Library() => File.ReadAllBytes(LibTorch.Find().LibTorchSharpPath);

    [Test]
    public void Weaken_TorchSharpsLibrary_SetsOneBitAndNothingElse()
    {
        var original = Library();
        var image = original.ToArray();
        Assert.That(ElfVersionNeeds.Weaken(image, NewerRuntime), Is.True);
        Assert.That(image, Has.Length.EqualTo(original.Length));
        var changed = Enumerable.Range(0, image.Length).Where(i => image[i] != original[i]).ToList();
        Assert.That(changed, Has.Count.EqualTo(1));
        Assert.That(image[changed[0]] ^ original[changed[0]], Is.EqualTo(2));
    }

    [Test]
    public void Weaken_Again_ChangesNothingMore()
    {
        var once = Library();
        ElfVersionNeeds.Weaken(once, NewerRuntime);
        var twice = once.ToArray();
        Assert.That(ElfVersionNeeds.Weaken(twice, NewerRuntime), Is.True);
        Assert.That(twice, Is.EqualTo(once));
    }

    [TestCase("GLIBCXX_9.9.99")]
    [TestCase("GLIBCXX_3.4.3")]    // the start of another one
    public void Weaken_VersionThatIsNotNeeded_ChangesNothing(string version)
    {
        var original = Library();
        var image = original.ToArray();
        Assert.That(ElfVersionNeeds.Weaken(image, version), Is.False);
        Assert.That(image, Is.EqualTo(original));
    }

    [Test]
    public void Weaken_NoElfFile_ChangesNothing()
    {
        Assert.That(ElfVersionNeeds.Weaken([], NewerRuntime), Is.False);
        Assert.That(ElfVersionNeeds.Weaken(Encoding.ASCII.GetBytes(new string('x', 200)), NewerRuntime), Is.False);
    }
}
