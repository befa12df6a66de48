using System.Runtime.Versioning;
using System.Text;
using Zoo.Files;

namespace Zoo.Tests.Files;

/// <summary>Every way a file can be no safetensors file, each with its sentence.</summary>
[TestFixture(TestOf = typeof(SafeTensorsFile))]
public sealed class SafeTensorsMalformedTests
{
    private const string X = """{"dtype":"F32","shape":[2],"data_offsets":[0,8]}""";

    private static TestCaseData Case(string name, byte[] file, string sentence) => new TestCaseData(file, sentence).SetArgDisplayNames(name);

    private static TestCaseData Header(string name, string header, int dataBytes, string sentence) =>
        Case(name, SafeTensorsBytes.With(header, dataBytes), sentence);

    private static TestCaseData Tensor(string name, string entry, string sentence) => Header(name, $$$"""{"x":{{{entry}}}}""", 8, sentence);

    private static IEnumerable<TestCaseData> Malformed =>
    [
        Case("empty file", [], "it has 0 bytes, and the length of its header alone takes 8"),
        Case("7 bytes", [2, 0, 0, 0, 0, 0, 0], "it has 7 bytes, and the length of its header alone takes 8"),
        Case("header beyond the file", SafeTensorsBytes.Announcing(3, "{}"), "its header should have 3 bytes, and only 2 follow; it was cut short"),
        Case("header absurd", SafeTensorsBytes.Announcing(100_000_001, "{}"), "its first 8 bytes announce a header of 100000001 bytes; at most 100000000 are allowed"),
        Case("header negative", SafeTensorsBytes.Announcing(ulong.MaxValue, "{}"), "announce a header of 18446744073709551615 bytes; at most 100000000 are allowed"),
        Case("header of 0 bytes", SafeTensorsBytes.Announcing(0, "{}"), "its header has 0 bytes, and the shortest is '{}'"),
        Case("header of 1 byte", SafeTensorsBytes.Announcing(1, "{}"), "its header has 1 bytes, and the shortest is '{}'"),
        Case("not UTF-8", SafeTensorsBytes.With([.. "{\""u8, 0xFF, .. "\":{}}"u8], []), "its header is not UTF-8 text"),
        Case("byte order mark", SafeTensorsBytes.With([0xEF, 0xBB, 0xBF, .. "{}"u8], []), "its header does not begin with '{'"),
        Header("half a surrogate pair", """{"\ud800":{}}""", 0, "its header holds text that is not Unicode"),
        Header("half a surrogate pair in a value", """{"__metadata__":{"a":"\udc00"}}""", 0, "its header holds text that is not Unicode"),
        Header("not JSON", """{"x":}""", 0, "its header is not JSON (near byte 13 of the file)"),
        Header("not closed", """{"x":{}""", 0, "its header is not JSON"),
        Header("more after the end", "{}{}", 0, "its header is not JSON"),
        Header("trailing comma", """{"a":"b",}""", 0, "its header is not JSON"),
        Header("zero bytes as padding", "{}\0\0", 0, "its header is not JSON"),
        Header("nested without end", """{"x":""" + new string('[', 40) + new string(']', 40) + "}", 0, "its header is not JSON"),
        Header("a list", "[]", 0, "its header does not begin with '{'"),
        Header("space before", " {}", 0, "its header does not begin with '{'"),

        Header("tensor is text", """{"x":"F32"}""", 0, "tensor 'x' is text, not an object"),
        Header("tensor is null", """{"x":null}""", 0, "tensor 'x' is null, not an object"),
        Tensor("no dtype", """{"shape":[2],"data_offsets":[0,8]}""", "tensor 'x' has no dtype"),
        Tensor("dtype a number", """{"dtype":32,"shape":[2],"data_offsets":[0,8]}""", "the dtype of tensor 'x' is a number, not text"),
        Tensor("dtype unknown", """{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}""",
            "tensor 'x' has the dtype 'F8_E4M3', and Zoo reads F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL"),
        Tensor("dtype in lower case", """{"dtype":"f32","shape":[2],"data_offsets":[0,8]}""", "tensor 'x' has the dtype 'f32'"),
        Tensor("no shape", """{"dtype":"F32","data_offsets":[0,8]}""", "tensor 'x' has no shape"),
        Tensor("shape a number", """{"dtype":"F32","shape":2,"data_offsets":[0,8]}""", "the shape of tensor 'x' is a number, not a list"),
        Tensor("shape holds text", """{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}""", "the shape of tensor 'x' holds '\"2\"', which is no whole number"),
        Tensor("shape negative", """{"dtype":"F32","shape":[-2,-1],"data_offsets":[0,8]}""", "the shape of tensor 'x' holds '-2', which is no whole number from 0"),
        Tensor("shape fractional", """{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}""", "the shape of tensor 'x' holds '2.5'"),
        Tensor("shape beyond 64 bits", """{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,8]}""", "the shape of tensor 'x' holds '18446744073709551616'"),
        Tensor("shape overflows", """{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}""",
            "the shape [4611686018427387904, 4] of tensor 'x' is larger than any file"),
        Tensor("shape overflows twice", """{"dtype":"U8","shape":[9223372036854775807,9223372036854775807,9223372036854775807],"data_offsets":[0,8]}""",
            "of tensor 'x' is larger than any file"),
        Tensor("shape overflows beside a zero", """{"dtype":"F32","shape":[0,4611686018427387904,4],"data_offsets":[0,0]}""",
            "of tensor 'x' is larger than any file"),
        Tensor("65 axes", $$"""{"dtype":"F32","shape":[2{{string.Concat(Enumerable.Repeat(",1", 64))}}],"data_offsets":[0,8]}""",
            "the shape of tensor 'x' has 65 axes; at most 64 are possible"),
        Tensor("no data_offsets", """{"dtype":"F32","shape":[2]}""", "tensor 'x' has no data_offsets"),
        Tensor("data_offsets an object", """{"dtype":"F32","shape":[2],"data_offsets":{}}""", "the data_offsets of tensor 'x' is an object, not a list"),
        Tensor("one offset", """{"dtype":"F32","shape":[2],"data_offsets":[8]}""", "the data_offsets of tensor 'x' hold 1 numbers instead of 2"),
        Tensor("three offsets", """{"dtype":"F32","shape":[2],"data_offsets":[0,4,8]}""", "the data_offsets of tensor 'x' hold 3 numbers instead of 2"),
        Tensor("offset negative", """{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}""", "the data_offsets of tensor 'x' holds '-8'"),
        Tensor("offset null", """{"dtype":"F32","shape":[2],"data_offsets":[null,8]}""", "the data_offsets of tensor 'x' holds 'null'"),
        Tensor("offsets reversed", """{"dtype":"F32","shape":[2],"data_offsets":[8,0]}""", "tensor 'x' ends at byte 0 of the data, before it begins at 8"),
        Tensor("offsets beyond the file", """{"dtype":"F32","shape":[3],"data_offsets":[0,12]}""",
            "tensor 'x' ends at byte 12 of the data, but the file has only 8 bytes of them; it was cut short"),
        Tensor("offsets beyond any file", """{"dtype":"U8","shape":[8],"data_offsets":[9223372036854775799,9223372036854775807]}""",
            "but the file has only 8 bytes of them"),
        Tensor("offsets and shape disagree", """{"dtype":"F32","shape":[3],"data_offsets":[0,8]}""",
            "tensor 'x' is F32 [3], which takes 12 bytes, but its data_offsets span 8"),
        Tensor("scalar of 8 bytes", """{"dtype":"F32","shape":[],"data_offsets":[0,8]}""", "tensor 'x' is F32 [], which takes 4 bytes, but its data_offsets span 8"),
        Tensor("two dtypes", """{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}""", "tensor 'x' has two entries 'dtype'"),

        Header("two tensors of one name", $$$"""{"x":{{{X}}},"x":{{{X}}}}""", 8, "it has two tensors named 'x'"),
        Header("overlap", """{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12,
            "tensors 'x' and 'y' overlap at byte 4 of the data"),
        Header("the same bytes twice", $$$"""{"x":{{{X}}},"y":{{{X}}}}""", 8, "tensors 'x' and 'y' overlap at byte 0 of the data"),
        Header("empty tensor inside another", """{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"none":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}""", 8,
            "tensors 'x' and 'none' overlap at byte 4 of the data"),
        Header("hole at the start", """{"x":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "4 bytes of the data before tensor 'x' belong to no tensor"),
        Header("hole between", $$$"""{"x":{{{X}}},"y":{"dtype":"U8","shape":[1],"data_offsets":[10,11]}}""", 11, "2 bytes of the data before tensor 'y' belong to no tensor"),
        Header("bytes after the last", $$$"""{"x":{{{X}}}}""", 9, "the last 1 bytes of the data belong to no tensor"),
        Header("data without tensors", "{}", 3, "the last 3 bytes of the data belong to no tensor"),

        Header("metadata a list", """{"__metadata__":[]}""", 0, "its __metadata__ is a list, not an object"),
        Header("metadata not text", """{"__metadata__":{"step":3}}""", 0, "its __metadata__ entry 'step' is a number, not text"),
        Header("metadata nested", """{"__metadata__":{"a":{}}}""", 0, "its __metadata__ entry 'a' is an object, not text"),
        Header("metadata twice", """{"__metadata__":{"a":"1","a":"2"}}""", 0, "its __metadata__ has two entries 'a'"),
        Header("metadata in two parts", """{"__metadata__":{"a":"1"},"__metadata__":{"a":"2"}}""", 0, "its __metadata__ has two entries 'a'"),
        Header("name that would garble a terminal", """{"a\u001b[31mb":null}""", 0, "tensor 'a\ufffd[31mb' is null, not an object"),
    ];

    [TestCaseSource(nameof(Malformed))]
    public void Open_Malformed_NamesTheFileAndTheFault(byte[] content, string sentence)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("weights.safetensors", content);
        Assert.That(() => SafeTensorsFile.Open(path).Dispose(), Throws.TypeOf<BadFileException>()
            .With.Message.StartsWith($"'{path}' is not a valid safetensors file: ").And.Message.Contains(sentence));
    }

    private static IEnumerable<TestCaseData> Foreign =>
    [
        Case("zip, as torch.save writes it", [.. "PK\u0003\u0004"u8, 0, 0, 8, 8, 0, 0], "it is a Python pickle, which can run code when it is read"),
        Case("bare pickle", [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20], "it is a Python pickle, which can run code when it is read"),
        Case("GGUF", [.. "GGUF"u8, 3, 0, 0, 0, 1], "it is a GGUF file. Take the original project's safetensors instead."),
        Case("HDF5", [0x89, .. "HDF\r\n"u8, 0x1A, 10, 0], "it is an HDF5 file."),
        Case("gzip", [0x1F, 0x8B, 8, 0, 0, 0, 0, 9, 1], "it is compressed with gzip. Unpack it first."),
        Case("Git LFS pointer", Encoding.ASCII.GetBytes("version https://git-lfs.github.com/spec/v1\noid sha256:0"), "it is a Git LFS pointer, not the file itself. Run `git lfs pull`"),
        Case("web page", Encoding.ASCII.GetBytes("\n<!DOCTYPE html><html>"), "it is a web page. Download the file itself."),
        Case("JSON", Encoding.ASCII.GetBytes("{\n  \"d_model\": 768 }"), "it is JSON text."),
    ];

    [TestCaseSource(nameof(Foreign))]
    public void Open_ForeignFile_SaysWhatItIs(byte[] content, string sentence)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("weights.safetensors", content);
        Assert.That(() => SafeTensorsFile.Open(path).Dispose(), Throws.TypeOf<BadFileException>()
            .With.Message.StartsWith($"'{path}' is no safetensors file: {sentence}"));
    }

    [Test]
    public void Open_HeaderLengthThatLooksLikeAPickle_IsReadAllTheSame()
    {
        using var folder = new TemporaryFolder();
        var content = SafeTensorsBytes.With("{}" + new string(' ', 0x280 - 2));   // 80 02: how a pickle begins, too
        using var file = SafeTensorsFile.Open(folder.Write("a.safetensors", content));
        Assert.That(file.Names, Is.Empty);
    }

    [Test]
    public void Open_ArchiveOfNumpy_IsNoPickleAndHasALineOfItsOwn()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("a.npz", [.. "PK\u0003\u0004"u8, 0, 0, 8, 8]);
        Assert.That(() => SafeTensorsFile.Open(path).Dispose(), Throws.TypeOf<BadFileException>().With.Message.StartsWith(
            $"'{path}' is no safetensors file: it is an archive of NumPy. Convert it where Python, numpy and safetensors are installed:\n" +
            $"  python -c \"import numpy, safetensors.numpy as s; s.save_file(dict(numpy.load('{path}')), '{path[..^4]}.safetensors')\"\n"));
    }

    [Test]
    public void Open_Pickle_GivesTheLineThatConvertsIt()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("it's.bin", [.. "PK\u0003\u0004"u8, 0, 0, 8, 8]);
        var typed = path.Replace("'", "\\'");
        Assert.That(() => SafeTensorsFile.Open(path).Dispose(), Throws.TypeOf<BadFileException>()
            .With.Message.Contains($"torch.load('{typed}', map_location='cpu', weights_only=True)")
            .And.Message.Contains($"'{typed[..^4]}.safetensors')\""));
    }

    [Test]
    public void Open_MissingFile_IsNamed()
    {
        using var folder = new TemporaryFolder();
        Assert.That(() => SafeTensorsFile.Open(folder.File("none")), Throws.TypeOf<BadFileException>().With.Message.EqualTo($"There is no file '{folder.File("none")}'."));
        Assert.That(() => SafeTensorsFile.Open(folder.File("no/ne")), Throws.TypeOf<BadFileException>().With.Message.EqualTo($"There is no file '{folder.File("no/ne")}'."));
    }

    [Test]
    public void Open_Folder_IsRefused()
    {
        using var folder = new TemporaryFolder();
        Assert.That(() => SafeTensorsFile.Open(folder.Path), Throws.TypeOf<BadFileException>().With.Message.EqualTo($"'{folder.Path}' is a folder, not a safetensors file."));
    }

    [TestCase("")]
    [TestCase("a\0b")]
    public void Open_ImpossiblePath_IsRefused(string path) =>
        Assert.That(() => SafeTensorsFile.Open(path), Throws.TypeOf<BadFileException>().With.Message.Contains("cannot be opened"));

    [Test]
    [Platform(Exclude = "Win", Reason = "It has no permission bits.")]
    [UnsupportedOSPlatform("windows")]
    public void Open_FileWithoutPermission_IsRefused()
    {
        if (Environment.IsPrivilegedProcess)
            Assert.Ignore("Permissions do not stop this user.");
        using var folder = new TemporaryFolder();
        var path = folder.Write("a.safetensors", SafeTensorsBytes.With("{}"));
        File.SetUnixFileMode(path, UnixFileMode.None);
        Assert.That(() => SafeTensorsFile.Open(path), Throws.TypeOf<BadFileException>().With.Message.Contains("cannot be opened"));
    }

    [Test]
    public void Open_HugeHeaderAnnounced_AllocatesNothing()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("a.safetensors", SafeTensorsBytes.Announcing(99_999_999, "{}"));
        Assert.That(() => SafeTensorsFile.Open(path), Throws.TypeOf<BadFileException>());   // warm
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => SafeTensorsFile.Open(path), Throws.TypeOf<BadFileException>());
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1_000_000));
    }
}
