using System.Reflection;
using System.Runtime.Loader;
using System.Text;
using Zoo.Files;
using static TorchSharp.torch;

namespace Zoo.Tests.Files;

[NonParallelizable]   // counts live mappings
public sealed class SafeTensorsFileTests
{
    private static readonly ScalarType[] Dtypes =
    [
        ScalarType.Float64, ScalarType.Float32, ScalarType.Float16, ScalarType.BFloat16, ScalarType.Int64, ScalarType.Int32,
        ScalarType.Int16, ScalarType.Int8, ScalarType.Byte, ScalarType.Bool,
    ];

    [Test]
    public void Load_EveryDtype_GivesTheValues([ValueSource(nameof(Dtypes))] ScalarType dtype)
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        var original = tensor(new float[] { 0, 1, 3, 0, 100, 2 }, 2, 3).to(dtype);
        SafeTensorsWriter.Write(folder.File("a.safetensors"), new NamedTensors { ["x"] = original });

        using var file = SafeTensorsFile.Open(folder.File("a.safetensors"));
        var loaded = file.Load("x");

        Assert.That(file.Find("x")!.Dtype, Is.EqualTo(dtype));
        Assert.That(loaded.dtype, Is.EqualTo(dtype));
        Assert.That(loaded.shape, Is.EqualTo(new long[] { 2, 3 }));
        Assert.That(loaded.eq(original).all().item<bool>(), Is.True);
    }

    [Test]
    public void Open_SeveralTensors_DescribesThemInTheHeadersOrder()
    {
        using var folder = new TemporaryFolder();
        const string header = """
            {"__metadata__":{"format":"pt","note":"ü"},"z":{"dtype":"F32","shape":[2,1],"data_offsets":[4,12]},
            "a":{"dtype":"BF16","shape":[],"data_offsets":[2,4]},"m.é":{"dtype":"I8","shape":[2],"data_offsets":[0,2],"more":[1]}}
            """;
        var path = folder.Write("a.safetensors", SafeTensorsBytes.With(header, 12));

        using var file = SafeTensorsFile.Open(path);

        Assert.That(file.Names, Is.EqualTo(new[] { "z", "a", "m.é" }));
        Assert.That(file.Metadata, Is.EqualTo(new Dictionary<string, string> { ["format"] = "pt", ["note"] = "ü" }));
        var z = file.Tensors[0];
        Assert.That(z.Shape, Is.EqualTo(new long[] { 2, 1 }));
        Assert.That(z.Offset, Is.EqualTo(sizeof(long) + Encoding.UTF8.GetByteCount(header) + 4));
        Assert.That(z.ByteCount, Is.EqualTo(8));
        Assert.That(file.Find("m.é")!.Dtype, Is.EqualTo(ScalarType.Int8));
        Assert.That(file.Find("nothing"), Is.Null);
    }

    [Test]
    public void Open_NoTensors_IsEmpty()
    {
        using var folder = new TemporaryFolder();
        using var file = SafeTensorsFile.Open(folder.Write("a.safetensors", SafeTensorsBytes.With("{}  ")));
        Assert.That(file.Tensors, Is.Empty);
        Assert.That(file.LoadAll(), Is.Empty);
    }

    [Test]
    public void Load_UnknownName_SaysWhichWasMeant()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        SafeTensorsWriter.Write(folder.File("a.safetensors"), new NamedTensors { ["weight"] = ones(2) });
        using var file = SafeTensorsFile.Open(folder.File("a.safetensors"));
        Assert.That(() => file.Load("wieght"), Throws.TypeOf<BadFileException>().With.Message
            .EqualTo($"'{file.Path}' has no tensor 'wieght'. Did you mean 'weight'?"));
    }

    [Test]
    public void Load_DataNotAlignedToTheElement_StillGivesTheValues()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        const string header = """{"b":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"x":{"dtype":"F32","shape":[3],"data_offsets":[1,13]}}""";
        byte[] data = [7, .. new[] { 1.5f, -2f, 3f }.SelectMany(BitConverter.GetBytes)];
        foreach (var padding in Enumerable.Range(0, 4))   // one of them happens to be aligned
        {
            var padded = Encoding.UTF8.GetBytes(header + new string(' ', padding));
            using var file = SafeTensorsFile.Open(folder.Write($"{padding}.safetensors", SafeTensorsBytes.With(padded, data)));
            Assert.That(file.Load("x").data<float>().ToArray(), Is.EqualTo(new[] { 1.5f, -2f, 3f }));
        }
    }

    [TestCase(0)]
    [TestCase(3, 0, 2)]
    public void Load_EmptyTensor_HasItsShape(params long[] shape)
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        SafeTensorsWriter.Write(folder.File("a.safetensors"), new NamedTensors { ["none"] = zeros(shape), ["one"] = ones(1), ["also"] = zeros(shape, int8) });
        using var file = SafeTensorsFile.Open(folder.File("a.safetensors"));
        Assert.That(file.Load("none").shape, Is.EqualTo(shape));
        Assert.That(file.Load("one").item<float>(), Is.EqualTo(1));
    }

    [Test]
    public void Load_BooleanByteBeyondOne_IsRefused()
    {
        using var folder = new TemporaryFolder();
        var header = """{"mask":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}}"""u8;
        using var file = SafeTensorsFile.Open(folder.Write("a.safetensors", SafeTensorsBytes.With(header, [0, 1, 2])));
        Assert.That(() => file.Load("mask"), Throws.TypeOf<BadFileException>().With.Message.Contains(
            $"tensor 'mask' is BOOL and has the byte 2 at {sizeof(long) + header.Length + 2}"));
    }

    [Test]
    public void Load_ReaderDisposed_TensorsLiveOnAndTheMappingEndsWithTheLast()
    {
        using var folder = new TemporaryFolder();
        var before = FileMapping.LiveCount;
        using (NewDisposeScope())
            SafeTensorsWriter.Write(folder.File("a.safetensors"), new NamedTensors { ["x"] = arange(1000, dtype: float32), ["y"] = ones(5) });

        Tensor x, again, y;
        using (var file = SafeTensorsFile.Open(folder.File("a.safetensors")))
            (x, again, y) = (file.Load("x"), file.Load("x"), file.Load("y"));
        File.Delete(folder.File("a.safetensors"));
        Assert.That(FileMapping.LiveCount, Is.EqualTo(before + 1));

        var view = x.slice(0, 500, 1000, 1);
        x.Dispose();
        y.Dispose();
        again.Dispose();
        Assert.That(FileMapping.LiveCount, Is.EqualTo(before + 1), "a view still lies on it");
        using (var sum = view.sum())
            Assert.That(sum.item<float>(), Is.EqualTo(374750));
        view.Dispose();
        Assert.That(FileMapping.LiveCount, Is.EqualTo(before));
    }

    [Test]
    public void Dispose_WithoutTensors_LeavesNoMapping()
    {
        using var folder = new TemporaryFolder();
        var before = FileMapping.LiveCount;
        using (NewDisposeScope())
        {
            SafeTensorsWriter.Write(folder.File("a.safetensors"), new NamedTensors { ["x"] = ones(4) });
            var file = SafeTensorsFile.Open(folder.File("a.safetensors"));
            using (var x = file.Load("x"))
            {
            }
            file.Dispose();
            file.Dispose();
            Assert.That(FileMapping.LiveCount, Is.EqualTo(before));
            Assert.That(() => file.Load("x"), Throws.TypeOf<ObjectDisposedException>());
        }
    }

    [Test]
    public void Load_TensorIsChanged_FileIsNot()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        SafeTensorsWriter.Write(folder.File("a.safetensors"), new NamedTensors { ["x"] = ones(3) });
        var bytes = File.ReadAllBytes(folder.File("a.safetensors"));
        using var file = SafeTensorsFile.Open(folder.File("a.safetensors"));
        var x = file.Load("x");
        x.fill_(5);
        Assert.That(x.sum().item<float>(), Is.EqualTo(15));
        Assert.That(File.ReadAllBytes(folder.File("a.safetensors")), Is.EqualTo(bytes));
        using var other = SafeTensorsFile.Open(folder.File("a.safetensors"));
        Assert.That(other.Load("x").sum().item<float>(), Is.EqualTo(3));
    }

    [Test]
    public void Load_AlignedTensor_IsNotCopied()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        SafeTensorsWriter.Write(folder.File("a.safetensors"), new NamedTensors { ["x"] = ones(3) });
        using var file = SafeTensorsFile.Open(folder.File("a.safetensors"));
        var (first, second) = (file.Load("x"), file.Load("x"));
        first.fill_(5);
        Assert.That(second.sum().item<float>(), Is.EqualTo(15), "both lie on the mapping");
    }

    [Test]
    public void Load_FileReplacedMeanwhile_TensorKeepsTheOldValues()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        var path = folder.File("a.safetensors");
        SafeTensorsWriter.Write(path, new NamedTensors { ["x"] = ones(3) });
        using var file = SafeTensorsFile.Open(path);
        var x = file.Load("x");
        SafeTensorsWriter.Write(path, new NamedTensors { ["x"] = zeros(3) });
        Assert.That(x.sum().item<float>(), Is.EqualTo(3));
    }

    [Test]
    public void Load_FileCutShortSinceItWasOpened_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        var path = folder.File("a.safetensors");
        SafeTensorsWriter.Write(path, new NamedTensors { ["x"] = ones(3) });
        using var file = SafeTensorsFile.Open(path);
        using (var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            stream.SetLength(stream.Length - 4);
        Assert.That(() => file.Load("x"), Throws.TypeOf<BadFileException>().With.Message.Contains("was cut short while it was open"));
    }

    [Test]
    public void LoadAll_OneTensorIsBad_FreesTheOthers()
    {
        using var folder = new TemporaryFolder();
        var before = FileMapping.LiveCount;
        var header = """{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"mask":{"dtype":"BOOL","shape":[1],"data_offsets":[2,3]}}"""u8;
        using (var file = SafeTensorsFile.Open(folder.Write("a.safetensors", SafeTensorsBytes.With(header, [5, 6, 7]))))
            Assert.That(file.LoadAll, Throws.TypeOf<BadFileException>());
        Assert.That(FileMapping.LiveCount, Is.EqualTo(before));
    }

    [Test]
    public void Load_BeyondTwoGigabytes_ReadsTheEnd()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        const long size = 2_500_000_000;
        var path = folder.Write("a.safetensors", SafeTensorsBytes.With(
            $$$"""{"x":{"dtype":"U8","shape":[{{{size}}}],"data_offsets":[0,{{{size}}}]},"end":{"dtype":"I16","shape":[1],"data_offsets":[{{{size}}},{{{size + 2}}}]}}""", 0));
        using (var stream = new FileStream(path, FileMode.Open))   // a file with a hole: it takes no space on the disk
        {
            stream.Seek(size - 1, SeekOrigin.End);
            stream.Write([9, 3, 1]);
        }
        using var file = SafeTensorsFile.Open(path);
        Assert.That(file.Load("x")[size - 1].item<byte>(), Is.EqualTo(9));
        Assert.That(file.Load("end").item<short>(), Is.EqualTo(0x103));
    }

    [Test]
    public void Open_InAFreshProgram_AsksForNoNativeLibrary()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("a.safetensors", SafeTensorsBytes.With("""{"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}""", 4));
        var fresh = new FreshAssemblies();
        try
        {
            var reader = fresh.LoadFromAssemblyPath(typeof(SafeTensorsFile).Assembly.Location).GetType(typeof(SafeTensorsFile).FullName!)!;
            using var file = (IDisposable)reader.GetMethod("Open", [typeof(string)])!.Invoke(null, [path])!;
            Assert.That(reader, Is.Not.EqualTo(typeof(SafeTensorsFile)), "the test needs statics of its own");
            Assert.That(reader.GetProperty("Tensors")!.GetValue(file)!.ToString(), Is.Not.Empty);
            Assert.That(fresh.NativeLibraries, Is.Empty);
        }
        finally
        {
            fresh.Unload();
        }
    }

    private sealed class FreshAssemblies() : AssemblyLoadContext(isCollectible: true)
    {
        public List<string> NativeLibraries { get; } = [];

        protected override Assembly? Load(AssemblyName name)
        {
            var path = Path.Combine(AppContext.BaseDirectory, name.Name + ".dll");
            return File.Exists(path) ? LoadFromAssemblyPath(path) : null;
        }

        protected override nint LoadUnmanagedDll(string name)
        {
            NativeLibraries.Add(name);
            return 0;
        }
    }
}
