using System.Buffers.Binary;
using System.Text;
using Zoo.Files;
using static TorchSharp.torch;

namespace Zoo.Tests.Files;

public sealed class SafeTensorsWriterTests
{
    [Test]
    public void Write_KnownInput_GivesTheseBytes()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        SafeTensorsWriter.Write(folder.File("a.safetensors"), new NamedTensors { ["é"] = tensor(new short[] { 1, -2 }) },
            new Dictionary<string, string> { ["b"] = "2", ["a"] = "1\"" });

        var text = """{"__metadata__":{"a":"1\"","b":"2"},"é":{"dtype":"I16","shape":[2],"data_offsets":[0,4]}}""";
        var header = Encoding.UTF8.GetBytes(text);
        byte[] padded = [.. header, .. Enumerable.Repeat((byte)' ', 64 - (sizeof(long) + header.Length) % 64)];
        Assert.That(File.ReadAllBytes(folder.File("a.safetensors")), Is.EqualTo(SafeTensorsBytes.With(padded, [1, 0, 0xFE, 0xFF])));
    }

    [Test]
    public void Write_WhatWasRead_GivesTheSameBytes()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        SafeTensorsWriter.Write(folder.File("a"), Mixed(), new Dictionary<string, string> { ["format"] = "pt" });
        using var file = SafeTensorsFile.Open(folder.File("a"));
        SafeTensorsWriter.Write(folder.File("b"), file.LoadAll(), file.Metadata.Reverse().ToDictionary());
        Assert.That(File.ReadAllBytes(folder.File("b")), Is.EqualTo(File.ReadAllBytes(folder.File("a"))));
        Assert.That(FileHash.Sha256(folder.File("b")), Is.EqualTo(FileHash.Sha256(folder.File("a"))));
    }

    [Test]
    public void Write_MixedSizes_KeepsTheOrderOfNamesAndAlignsEveryTensor()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        var tensors = Mixed();
        SafeTensorsWriter.Write(folder.File("a"), tensors);
        using var file = SafeTensorsFile.Open(folder.File("a"));
        Assert.That(file.Names, Is.EqualTo(tensors.Keys));
        foreach (var info in file.Tensors)
            Assert.That(info.Offset % tensors[info.Name].element_size(), Is.Zero, info.Name);
        Assert.That(BinaryPrimitives.ReadInt64LittleEndian(File.ReadAllBytes(folder.File("a"))) % 8, Is.Zero);
    }

    [Test]
    public void Write_ViewsThatAreNotContiguous_WritesTheirElements()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        var matrix = arange(12, dtype: float32).reshape(3, 4);
        SafeTensorsWriter.Write(folder.File("a"), new NamedTensors
        {
            ["transposed"] = matrix.t(),
            ["column"] = matrix.select(1, 2),
            ["expanded"] = ones(1).expand(5),
            ["gradient"] = matrix.clone().requires_grad_(),
        });
        using var file = SafeTensorsFile.Open(folder.File("a"));
        Assert.That(file.Load("transposed").data<float>().ToArray(), Is.EqualTo(new float[] { 0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11 }));
        Assert.That(file.Load("column").data<float>().ToArray(), Is.EqualTo(new float[] { 2, 6, 10 }));
        Assert.That(file.Load("expanded").data<float>().ToArray(), Is.EqualTo(new float[] { 1, 1, 1, 1, 1 }));
        Assert.That(file.Load("gradient").requires_grad, Is.False);
    }

    [Test]
    public void Write_NoTensors_GivesAReadableFile()
    {
        using var folder = new TemporaryFolder();
        SafeTensorsWriter.Write(folder.File("a"), []);
        using var file = SafeTensorsFile.Open(folder.File("a"));
        Assert.That(file.Names, Is.Empty);
    }

    [Test]
    public void Write_DtypeOutsideTheFormat_IsRefusedBeforeAnythingIsWritten()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        Assert.That(() => SafeTensorsWriter.Write(folder.File("a"), new NamedTensors { ["z"] = zeros(2, complex64) }),
            Throws.ArgumentException.With.Message.Contains("The tensor 'z' is ComplexFloat32, and a safetensors file holds F64, F32"));
        Assert.That(Directory.GetFiles(folder.Path), Is.Empty);
    }

    [Test]
    public void Write_ReservedName_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        Assert.That(() => SafeTensorsWriter.Write(folder.File("a"), new NamedTensors { ["__metadata__"] = zeros(2) }),
            Throws.ArgumentException.With.Message.Contains("A tensor cannot be named '__metadata__'"));
    }

    [TestCase(1)]
    [TestCase(7)]
    [TestCase(40)]
    [TestCase(1000)]
    public void WriteData_AnyChunkSize_WritesEveryByteOnce(int chunkBytes)
    {
        using var scope = NewDisposeScope();
        using var stream = new MemoryStream();
        SafeTensorsWriter.WriteData(stream, arange(10, dtype: int32), chunkBytes);
        Assert.That(stream.ToArray(), Is.EqualTo(Enumerable.Range(0, 10).SelectMany(BitConverter.GetBytes)));
    }

    [Test]
    public void Write_Cancelled_LeavesTheOldFileAndNothingElse()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        var path = folder.Write("a", "old");
        Assert.That(() => SafeTensorsWriter.Write(path, new NamedTensors { ["x"] = ones(3) }, cancellation: new CancellationToken(canceled: true)),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(File.ReadAllText(path), Is.EqualTo("old"));
        Assert.That(Directory.GetFiles(folder.Path), Has.Length.EqualTo(1));
    }

    [Test]
    [Explicit("Writes and reads 2.2 GB.")]
    public void Write_BeyondTwoGigabytes_ReadsBackEqual()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        const long size = 1_100_000_000;
        var large = zeros(size, bfloat16);
        large[size - 1] = 3f;
        SafeTensorsWriter.Write(folder.File("a"), new NamedTensors { ["large"] = large, ["small"] = ones(3) });
        using var file = SafeTensorsFile.Open(folder.File("a"));
        var read = file.Load("large");
        Assert.That(read.sum(ScalarType.Float32).item<float>(), Is.EqualTo(3));
        Assert.That(read[size - 1].to(float32).item<float>(), Is.EqualTo(3));
        Assert.That(file.Load("small").sum().item<float>(), Is.EqualTo(3));
    }

    [Test]
    [Category("Gpu")]
    public void Write_TensorOnTheGpu_WritesItsElements()
    {
        if (!cuda.is_available())
            Assert.Ignore("There is no CUDA device.");
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        SafeTensorsWriter.Write(folder.File("a"), new NamedTensors { ["x"] = arange(6, dtype: float32, device: CUDA).reshape(2, 3).t() });
        using var file = SafeTensorsFile.Open(folder.File("a"));
        Assert.That(file.Load("x").data<float>().ToArray(), Is.EqualTo(new float[] { 0, 3, 1, 4, 2, 5 }));
    }

    private static NamedTensors Mixed() => new()
    {
        ["flags"] = ones(3, @bool),
        ["half"] = ones(3, float16),
        ["steps"] = zeros(1, int64),
        ["w"] = arange(15, dtype: float32).reshape(3, 5),
        ["bytes"] = ones(5, uint8),
        ["brain"] = ones(5, bfloat16),
        ["double"] = ones(3, float64),
        ["none"] = zeros(0, int16),
    };
}
