using System.Text;
using Zoo.Kernels.Cuda;
using Zoo.Tests.Files;

namespace Zoo.Tests.Kernels.Cuda;

[NonParallelizable]   // changes the process's environment
public sealed class CudaCompilerTests
{
    private const string CacheVariable = "XDG_CACHE_HOME";

    private TemporaryFolder _folder = null!;
    private string? _before;

    [SetUp]
    public void SetUp()
    {
        _folder = new TemporaryFolder();
        _before = Environment.GetEnvironmentVariable(CacheVariable);
        Environment.SetEnvironmentVariable(CacheVariable, _folder.File("cache"));
    }

    [TearDown]
    public void TearDown()
    {
        Environment.SetEnvironmentVariable(CacheVariable, _before);
        _folder.Dispose();
    }

    [Test]
    public void New_NamedPlaceWithoutNvrtc_SaysSo()
    {
        var named = _folder.File("");
        Assert.That(new CudaCompiler(named).WhyNone, Is.EqualTo($"ZOO_NVRTC is '{named}', and no NVRTC loads from there"));
        _folder.Write("libnvrtc.so.12", "no library");
        Assert.That(new CudaCompiler(named).WhyNone, Is.EqualTo($"ZOO_NVRTC is '{named}', and no NVRTC loads from there"));
        Assert.That(() => new CudaCompiler(named).Compile(Source("void f() {}"), "sm_90"), Throws.TypeOf<EnvironmentException>()
            .With.Message.EqualTo($"ZOO_NVRTC is '{named}', and no NVRTC loads from there."));
    }

    [Test]
    public void Compile_Error_HasFileAndLine()
    {
        const string text = """
            #include "zoo.cuh"
            extern "C" __global__ void k(float* x) {
                x[0] = nonsense;
            }
            """;
        var compiler = Here();
        var error = Assert.Throws<UserException>(() => compiler.Compile(Source(text), 90, "an_op (B=2)"))!;
        Assert.That(error.Message, Does.Match(@"^an_op \(B=2\): Ops/Broken\.cu of Contracts\.Tests does not compile for sm_90a? with NVRTC \d+\.\d+:\nOps/Broken\.cu\(3\): error: identifier ""nonsense"" is undefined"));
        Assert.That(Directory.Exists(_folder.File("cache/zoo/cubin")) && Directory.EnumerateFiles(_folder.File("cache/zoo/cubin")).Any(), Is.False, "nothing is kept");
    }

    [Test]
    public void Compile_AHeaderThatIsNotThere_SaysSo()
    {
        var compiler = Here();
        Assert.That(() => compiler.Compile(Source("#include <cuda_fp16.h>\n"), "sm_90"), Throws.TypeOf<UserException>().With.Message.Contains("cuda_fp16.h"));
    }

    [Test]
    public void Compile_Again_ComesFromTheCache()
    {
        var compiler = Here();
        var source = Source("extern \"C\" __global__ void k(float* x) { x[0] = 1; }");
        var first = compiler.Compile(source, 90, "an op");
        var file = Directory.GetFiles(_folder.File("cache/zoo/cubin")).Single();
        Assert.That(compiler.Compile(source, 90, "an op"), Is.EqualTo(first));

        var other = Enumerable.Range(0, 100).Select(i => (byte)i).ToArray();
        CubinCache.Keep(Path.GetFileNameWithoutExtension(file), other);
        Assert.That(compiler.Compile(source, 90, "an op"), Is.EqualTo(other), "it was not compiled again");
        Assert.That(compiler.Compile(source, 80, "an op"), Is.Not.EqualTo(other), "another card, another file");
        Assert.That(compiler.Compile(Source("extern \"C\" __global__ void k(float* x) { x[0] = 2; }"), 90, "an op"), Is.Not.EqualTo(other));
    }

    [Test]
    public void Compile_ManyAtOnce_AllGetTheSame()
    {
        var compiler = Here();
        var source = Source("extern \"C\" __global__ void k(float* x) { x[0] = 3; }");
        var images = new byte[8][];
        Parallel.For(0, images.Length, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i => images[i] = compiler.Compile(source, 90, "an op"));
        Assert.That(images, Is.All.EqualTo(images[0]));
        Assert.That(Directory.GetFiles(_folder.File("cache/zoo/cubin")), Has.Length.EqualTo(1));
    }

    [Test]
    public void Compile_CardNewerThanTheCompiler_GetsPortableAssembly()
    {
        var image = Here().Compile(Source("extern \"C\" __global__ void k(float* x) { x[0] = 1; }"), 999, "an op");
        Assert.That(Encoding.ASCII.GetString(image), Does.Contain(".target sm_").And.EndsWith("\0"), "as the driver wants it");
    }

    [Test]
    public void Compile_CardOlderThanTheCompilerKnows_SaysWhatToDo()
    {
        var compiler = Here();
        Assert.That(() => compiler.Compile(Source("void f() {}"), 10, "an op"), Throws.TypeOf<EnvironmentException>().With.Message.Contains("does not compile for sm_10"));
    }

    [Test]
    public void Load_FileItself_IsTaken()
    {
        Here();
        var path = CudaCompiler.Shared.Description.Split(", from ")[1];
        if (!Path.IsPathRooted(path))
            Assert.Ignore("NVRTC is the system's own.");
        Assert.That(new CudaCompiler(path).WhyNone, Is.Null);
        Assert.That(new CudaCompiler(Path.GetDirectoryName(path)).WhyNone, Is.Null);
    }

    /// <summary>As a Python installation has it: torch/lib beside nvidia/cuda_nvrtc/lib, or a copy with a hash in its name beside libtorch.</summary>
    [TestCase("torch/lib", "libnvrtc-0123abcd.so.12")]
    [TestCase("nvidia/cuda_nvrtc/lib", "libnvrtc.so.12")]
    [TestCase("nvidia/cu13/lib", "libnvrtc.so.13")]
    [Platform("Linux")]
    public void New_BesideAPythonTorch_IsFound(string folder, string name)
    {
        Here();
        var path = CudaCompiler.Shared.Description.Split(", from ")[1];
        if (!Path.IsPathRooted(path))
            Assert.Ignore("NVRTC is the system's own.");
        Directory.CreateDirectory(_folder.File("torch/lib"));
        Directory.CreateDirectory(_folder.File(folder));
        var link = _folder.File($"{folder}/{name}");
        File.CreateSymbolicLink(link, path);
        foreach (var builtins in Directory.EnumerateFiles(Path.GetDirectoryName(path)!, "*nvrtc-builtins*"))
            File.CreateSymbolicLink(_folder.File($"{folder}/{Path.GetFileName(builtins)}"), builtins);
        var before = Environment.GetEnvironmentVariable("ZOO_LIBTORCH");
        try
        {
            Environment.SetEnvironmentVariable("ZOO_LIBTORCH", _folder.File("torch/lib"));
            Assert.That(new CudaCompiler(null).Description, Does.EndWith($", from {link}"));
        }
        finally
        {
            Environment.SetEnvironmentVariable("ZOO_LIBTORCH", before);
        }
    }

    private static CudaSource Source(string text) => new(typeof(CudaCompilerTests).Assembly, "Ops/Broken.cu", text);

    private static CudaCompiler Here()
    {
        if (CudaCompiler.Shared.WhyNone is { } why)
            Assert.Ignore($"{why}.");
        return CudaCompiler.Shared;
    }
}
