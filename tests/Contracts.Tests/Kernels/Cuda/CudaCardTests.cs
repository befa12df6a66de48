using Zoo.Kernels;
using Zoo.Kernels.Cuda;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels.Cuda;

/// <summary>How the driver is called and what its errors become, on a driver without a card.</summary>
public sealed class CudaCardTests
{
    private static readonly CudaSource Source = CudaSource.Of(typeof(CudaCardTests).Assembly, "Faults.cu");
    private FakeDriver _fake = null!;

    [OneTimeSetUp]
    public void Compile() => _fake = new FakeDriver();

    [SetUp]
    public void Reset() => _fake.Reset();

    [OneTimeTearDown]
    public void Remove() => _fake?.Dispose();

    [Test]
    public void New_Card_SaysWhatItIs()
    {
        var card = Card();
        Assert.That((card.Name, card.Architecture, card.MultiprocessorCount, card.SharedBytesPerBlock), Is.EqualTo(("NVIDIA Fake", 90, 100, 200000)));
        Assert.That(_fake.Log, Is.EqualTo("retain;keep 4=1073741824;"));
    }

    [Test]
    public void Launch_Twice_CompilesAndLoadsOnce()
    {
        var card = Card();
        _fake.Reset();
        using (var launcher = new CudaLauncher(card, Source, "an op"))
        {
            launcher.Launch("write_at", new CudaSize(2, 3), 64, 0, default(KernelArray), 7, 1.5f, 1L << 40);
            launcher.Launch("write_at", 1, 32, 100_000, default(KernelArray), -1, -2f, -3L);
            launcher.Launch("write_at", new CudaSize(0, 3), 32, 0);
        }
        Assert.That(_fake.Log, Is.EqualTo(
            "push;module ELF!;function write_at;launch 2,3,1 64,1,1 shared 0 stream (nil): 7 1.5 1099511627776;pop;" +
            "push;attribute 8=100000;launch 1,1,1 32,1,1 shared 100000 stream (nil): -1 -2 -3;pop;"));
    }

    [TestCase(48 * 1024 - 1024, false)]
    [TestCase(48 * 1024 - 1023, true)]
    public void Launch_SharedMemoryWithTheStaticPart_IsAskedForBeyond48KiB(int bytes, bool asked)
    {
        using var launcher = new CudaLauncher(Card(), Source, "an op");
        launcher.Launch("write_at", 1, 32, bytes, default(KernelArray), 0, 0f, 0L);
        Assert.That(_fake.Log.Contains("attribute"), Is.EqualTo(asked));
    }

    [Test]
    public void Launch_OtherArguments_IsRefused()
    {
        using var launcher = new CudaLauncher(Card(), Source, "an op");
        Assert.That(() => launcher.Launch("write_at", 1, 32, 0, default(KernelArray), 1), Throws.ArgumentException
            .With.Message.EqualTo("an op: 'write_at' has parameters of 8, 4, 4, 8 bytes and was given 8, 4."));
    }

    [Test]
    public void Launch_DriverRefuses_IsASentenceWithTheOp()
    {
        var card = Card();
        _fake.Fail("cuLaunchKernel", 1);
        using var launcher = new CudaLauncher(card, Source, "linear_scan (B=8, L=512, D=512)");
        Assert.That(() => launcher.Launch("write_at", new CudaSize(16, 8), new CudaSize(32, 16), 64, default(KernelArray), 0, 0f, 0L),
            Throws.TypeOf<EnvironmentException>().With.Message.EqualTo(
                "linear_scan (B=8, L=512, D=512): the kernel 'write_at' failed on NVIDIA Fake: CUDA_ERROR_INVALID_VALUE, invalid argument. " +
                "Its grid was 16 × 8 × 1, its block 32 × 16 × 1, with 64 bytes of shared memory. The fault may lie in an earlier launch: " +
                "with ZOO_CUDA_SYNC=1 the sentence names the one that failed."));
        Assert.That(_fake.Log, Does.EndWith("pop;"), "the thread's context is as it was");
    }

    [Test]
    public void Launch_NoSuchKernel_SaysSo()
    {
        using var launcher = new CudaLauncher(Card(), Source, "an op");
        Assert.That(() => launcher.Launch("none", 1, 32, 0), Throws.TypeOf<UserException>()
            .With.Message.EqualTo("an op: Kernels/Cuda/Faults.cu of Contracts.Tests has no kernel 'none'; is it extern \"C\" __global__?"));
    }

    [Test]
    public void Launch_ImageNotTaken_SaysSo()
    {
        var card = Card();
        _fake.Fail("cuModuleLoadData", 719);
        using var launcher = new CudaLauncher(card, Source, "an op");
        Assert.That(() => launcher.Launch("write_at", 1, 32, 0), Throws.TypeOf<EnvironmentException>().With.Message.EqualTo(
            "an op: NVIDIA Fake does not take the compiled Kernels/Cuda/Faults.cu of Contracts.Tests: CUDA_ERROR_LAUNCH_FAILED, unspecified launch failure."));
    }

    [Test]
    public void Allocate_TooMuch_SaysHowMuch([Values] bool pools)
    {
        _fake.Reset(pools: pools);
        var card = Card();
        _fake.Fail(pools ? "cuMemAllocAsync" : "cuMemAlloc_v2", 2);
        Assert.That(() => card.Allocate(1_000_000), Throws.TypeOf<EnvironmentException>()
            .With.Message.EqualTo("NVIDIA Fake has not 1,000,000 bytes of memory left: CUDA_ERROR_OUT_OF_MEMORY, out of memory."));
    }

    [Test]
    public void CopyOut_AKernelFailedBefore_SaysSo()
    {
        var card = Card();
        using var buffer = new DeviceBuffer(card, 3);
        _fake.Fail("cuMemcpyDtoH_v2", 719);
        Assert.That(() => buffer.ToTensor([3]), Throws.TypeOf<EnvironmentException>()
            .With.Message.EqualTo("12 bytes do not come from NVIDIA Fake: CUDA_ERROR_LAUNCH_FAILED, unspecified launch failure."));
    }

    [Test]
    public void DeviceBuffer_OfATensor_ComesBack([Values] bool pools)
    {
        using var scope = NewDisposeScope();
        _fake.Reset(pools: pools);
        var card = Card();
        _fake.Reset();
        var x = arange(12, float32).reshape(3, 4).t();   // not contiguous
        using (var buffer = DeviceBuffer.Of(card, x))
            Assert.That(buffer.ToTensor(x.shape).Equals(x), Is.True);
        Assert.That(_fake.Log, Is.EqualTo("push;alloc 48;pop;push;fill 48;pop;push;in 48;pop;push;out 48;pop;push;free;pop;"));
    }

    [Test]
    public void DeviceBuffer_New_HoldsNaN()
    {
        using var scope = NewDisposeScope();
        using var buffer = new DeviceBuffer(Card(), 5);
        Assert.That(buffer.ToTensor([5]).isnan().all().item<bool>(), Is.True);
        Assert.That(() => buffer.ToTensor([6]), Throws.ArgumentException);
    }

    [Test]
    public void Time_OfWork_IsTheCards()
    {
        var card = Card();
        _fake.Reset();
        Assert.That(card.Time(card.Synchronize), Is.EqualTo(1.5));
        Assert.That(_fake.Log, Is.EqualTo("push;record;synchronize;record;destroy;destroy;pop;"));
    }

    [Test]
    public void Reject_CardTooOld_SaysWhatIsNeeded()
    {
        _fake.Reset(architecture: 75);
        using var scope = NewDisposeScope();
        using var use = CudaDevices.Use(Card());
        Assert.That(Reason(), Is.EqualTo("--kernels linear_scan=cuda: linear_scan cannot run on 'cuda': NVIDIA Fake is sm_75; the cuda backend needs sm_80 or later."));
    }

    [Test]
    public void Reject_NoCompiler_SaysWhatToDo()
    {
        using var scope = NewDisposeScope();
        using var use = CudaDevices.Use(new CudaCard(_fake.Driver, 0, (_, _, _) => [], () => "NVRTC was not found"));
        Assert.That(Reason(), Is.EqualTo("--kernels linear_scan=cuda: linear_scan cannot run on 'cuda': NVRTC was not found."));
    }

    [Test]
    public void Reject_InputsOnTheCpu_SaysWhere()
    {
        using var scope = NewDisposeScope();
        Assert.That(Reason(), Does.StartWith("--kernels linear_scan=cuda: linear_scan cannot run on 'cuda': 'a' is on cpu; the cuda backend needs it on a CUDA device"));
        if (CudaDevices.WhyNone() is { } why)
            Assert.That(Reason(), Does.EndWith($", and {why}."));
    }

    [Test]
    public void Open_NoCard_IsTheEnvironmentsFault()
    {
        if (CudaDevices.WhyNone() is not { } why)
        {
            Assert.Ignore("There is a card here.");
            return;
        }
        Assert.That(() => CudaDevices.Open(), Throws.TypeOf<EnvironmentException>().With.Message.EqualTo($"{char.ToUpperInvariant(why[0])}{why[1..]}. `zoo doctor` says more."));
    }

    [Test]
    public void Use_Disposed_IsAsBefore()
    {
        var (first, second) = (Card(), Card());
        using (CudaDevices.Use(first))
        {
            using (CudaDevices.Use(second))
                Assert.That(CudaDevices.Open(), Is.SameAs(second));
            Assert.That(CudaDevices.InUse, Is.SameAs(first));
        }
        Assert.That(CudaDevices.InUse, Is.Null);
    }

    private CudaCard Card() => new(_fake.Driver, 0, (_, architecture, _) => [(byte)'E', (byte)'L', (byte)'F', (byte)'!', (byte)architecture], () => null);

    private static string Reason()
    {
        var inputs = new NamedTensors { ["a"] = rand(1, 2, 3), ["b"] = rand(1, 2, 3) };
        return Assert.Throws<BackendRejectedException>(() => LinearScan.Instance.Invoke(inputs, OpOptions.None, KernelChoice.Parse("linear_scan=cuda")))!.Message;
    }
}
