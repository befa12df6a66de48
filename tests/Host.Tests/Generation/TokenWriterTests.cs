using System.Text;
using Zoo.Host.Cli;
using Zoo.Host.Generation;
using Zoo.Tasks;

namespace Zoo.Tests.Generation;

/// <summary>What a prompt may be, and what tokens look like.</summary>
internal sealed class TokenWriterTests
{
    private static readonly TextEncoding Letters = new CharacterEncoding("\nabé".EnumerateRunes());

    [Test]
    public void ReadPrompt_Text_IsItsIds()
    {
        Assert.That(Writer(Letters).ReadPrompt("bé", 4), Is.EqualTo([2, 3]));
        Assert.That(Writer(Letters).ReadPrompt(null, 4), Is.EqualTo([0]), "a line end unless given");
        Assert.That(Writer(new CharacterEncoding("xyz".EnumerateRunes())).ReadPrompt(null, 3), Is.EqualTo([0]), "the first where there is none");
    }

    [Test]
    public void ReadPrompt_UnknownCharacter_NamesIt() => Assert.That(
        () => Writer(Letters).ReadPrompt("abz", 4), Throws.TypeOf<UserException>().With.Message.Contains("'z'").And.Message.Contains("abé"));

    [Test]
    public void ReadPrompt_WithoutText_IsIds()
    {
        Assert.That(Writer(null).ReadPrompt("5, 12 7", 20), Is.EqualTo([5, 12, 7]));
        Assert.That(() => Writer(null).ReadPrompt("5 x 20 -1", 20), Throws.TypeOf<UserException>().With.Message.EqualTo(
            "--prompt: this run has no text, so the prompt must be ids from 0 to 19, such as \"5 12 7\"; 'x', '20', '-1' are none."));
    }

    [Test]
    public void Add_BytesOfOneCharacter_AppearWithTheLast()
    {
        var shown = Capture(writer =>
        {
            writer.Begin([72]);
            foreach (var id in Encoding.UTF8.GetBytes("é!\U0001F600").Append((byte)0xC3))
                writer.Add(0, id);
            writer.End();
        });
        Assert.That(shown, Is.EqualTo("Hé!\U0001F600\uFFFD\n"));
    }

    private static TokenWriter Writer(TextEncoding? text) => new(new Output { Quiet = true }, text, 1);

    private static string Capture(Action<TokenWriter> use)
    {
        var (before, text) = (Console.Out, new StringWriter());
        Console.SetOut(text);
        try
        {
            use(Writer(ByteEncoding.Instance));
            return text.ToString();
        }
        finally
        {
            Console.SetOut(before);
        }
    }
}
