using System.Text;
using System.Text.Json.Nodes;
using Zoo.Files;
using Zoo.Tasks;

namespace Zoo.Tests.Tasks;

public sealed class TextEncodingTests
{
    private static readonly CharacterEncoding Characters = new("\n aeé😀".EnumerateRunes());

    [Test]
    public void Characters_EncodeAndDecode_AreInverse()
    {
        Assert.That(Characters.VocabSize, Is.EqualTo(6));
        Assert.That(Characters.Encode("é a😀\n"), Is.EqualTo((long[])[4, 1, 2, 5, 0]));
        Assert.That(Characters.Decode([4, 1, 2, 5, 0]), Is.EqualTo("é a😀\n"));
        Assert.That(Characters.Encode(""), Is.Empty);
    }

    [Test]
    public void Bytes_EncodeAndDecode_AreInverseAndPartsOfACharacterJoin()
    {
        var ids = ByteEncoding.Instance.Encode("aé😀");
        Assert.That(ids, Is.EqualTo((long[])[97, 0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80]));
        Assert.That(ByteEncoding.Instance.Decode(ids), Is.EqualTo("aé😀"));
        Assert.That(ByteEncoding.Instance.Decode([97, 0xc3]), Is.EqualTo("a\ufffd"));
        var decoder = Encoding.UTF8.GetDecoder();
        var text = new StringBuilder();
        var buffer = new char[4];
        foreach (var id in ids)
            text.Append(buffer, 0, decoder.GetChars(ByteEncoding.Instance.Utf8(id), buffer, flush: false));
        Assert.That(text.ToString(), Is.EqualTo("aé😀"));
    }

    [Test]
    public void Encode_UnknownCharacter_NamesItAndItsPlace()
    {
        Assert.That(() => Characters.Encode("ae\u00fcx"), Throws.TypeOf<UserException>().With.Message.EqualTo(
            "Character 3 of the text, 'ü' (U+00FC), is none of the 6 that the model knows:  aeé😀. Leave it out."));
        Assert.That(() => Characters.Encode("\t"), Throws.TypeOf<UserException>().With.Message.Contains("U+0009"));
        Assert.That(() => Characters.Encode("a\ud800"), Throws.TypeOf<UserException>().With.Message.Contains("Character 2"));
    }

    [Test]
    public void Decode_UnknownId_Throws()
    {
        Assert.That(() => Characters.Decode([6]), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => ByteEncoding.Instance.Decode([-1]), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    private static IEnumerable<TextEncoding> Encodings => [Characters, ByteEncoding.Instance];

    [TestCaseSource(nameof(Encodings))]
    public void FromJson_WhatToJsonGave_IsTheSameEncoding(TextEncoding encoding)
    {
        var json = JsonNode.Parse(encoding.ToJson().ToJsonString())!.AsObject();
        var read = TextEncoding.FromJson(json, "text.json");
        Assert.That(read.GetType(), Is.EqualTo(encoding.GetType()));
        Assert.That(read.Unit, Is.EqualTo(encoding.Unit));
        Assert.That(
            Enumerable.Range(0, read.VocabSize).Select(id => Convert.ToHexString(read.Utf8(id))),
            Is.EqualTo(Enumerable.Range(0, encoding.VocabSize).Select(id => Convert.ToHexString(encoding.Utf8(id)))));
    }

    [TestCase("""{}""", "'encoding' is missing")]
    [TestCase("""{"encoding":"words"}""", "'encoding' is \"words\"")]
    [TestCase("""{"encoding":7}""", "'encoding' is 7")]
    [TestCase("""{"encoding":"characters"}""", "'symbols' is missing")]
    [TestCase("""{"encoding":"characters","symbols":5}""", "'symbols' is missing or no text")]
    [TestCase("""{"encoding":"characters","symbols":""}""", "'symbols' must hold")]
    [TestCase("""{"encoding":"characters","symbols":"ba"}""", "'symbols' must hold")]
    [TestCase("""{"encoding":"characters","symbols":"aab"}""", "'symbols' must hold")]
    public void FromJson_Malformed_IsRefusedWithASentence(string json, string message) =>
        Assert.That(() => TextEncoding.FromJson(JsonNode.Parse(json)!.AsObject(), "text.json"),
            Throws.TypeOf<BadFileException>().With.Message.StartsWith($"'text.json': {message}"));
}
