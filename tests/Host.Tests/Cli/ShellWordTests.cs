using Zoo.Host.Cli;

namespace Zoo.Tests.Cli;

/// <summary>What a message tells the user to type can be typed as it stands.</summary>
internal sealed class ShellWordTests
{
    [TestCase("runs/20260101-000000-mamba-char-lm", "runs/20260101-000000-mamba-char-lm")]
    [TestCase("my runs/a", "'my runs/a'")]
    [TestCase("a$b", "'a$b'")]
    [TestCase("~/runs", "'~/runs'")]
    [TestCase("", "''")]
    public void Of_Word_IsQuotedWhereAShellWouldChangeIt(string word, string typed) => Assert.That(ShellWord.Of(word), Is.EqualTo(typed));

    [Test]
    public void Of_WordWithAQuote_IsOneWordOfAShell()
    {
        if (OperatingSystem.IsWindows())
            Assert.Ignore("A POSIX shell reads the word here.");
        const string word = "it's a \"run\" `of` $5";
        using var shell = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("/bin/sh", ["-c", $"printf %s {ShellWord.Of(word)}"]) { RedirectStandardOutput = true })!;
        Assert.That(shell.StandardOutput.ReadToEnd(), Is.EqualTo(word));
    }
}
