using System.Text.Json.Nodes;
using TorchSharp;
using Zoo.CudaEmulation;
using Zoo.Host;
using Zoo.Host.Benchmarks;
using Zoo.Host.Cli;
using Zoo.Host.Verification;
using Zoo.Kernels;
using Zoo.Kernels.Cuda;
using Zoo.Tests.Verification;

namespace Zoo.Tests;

/// <summary>Ops on a card beside a libtorch without CUDA: the emulator stands in for the card.</summary>
[NonParallelizable]   // the card in use is the process's
public sealed class OnCardTests
{
    private DirectoryInfo _folder = null!;
    private DisposeScope _scope = null!;

    [SetUp]
    public void SetUp()
    {
        EmulatedOp.Require();
        _folder = Directory.CreateTempSubdirectory("zoo-card-");
        _scope = torch.NewDisposeScope();
    }

    [TearDown]
    public void TearDown()
    {
        _scope?.Dispose();
        _folder?.Delete(recursive: true);
    }

    [Test]
    public void Golden_OpWithCudaKernels_RunsThemForwardAndBackward()
    {
        var result = Verify(Scan(), LinearScan.Instance);
        Assert.That(result.Reason, Is.Null);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Pass));
        Assert.That(result.Backends["linear_scan"], Is.EqualTo("cuda"));
        Assert.That(CudaDevices.InUse, Is.Null, "the card is in use no longer");
    }

    [TestCase("out.h")]
    [TestCase("grad.in.a")]
    public void Golden_StoredElementDiffers_IsNamed(string name)
    {
        var golden = Scan();
        golden.Tensors[name].view(-1)[0] += 0.01f;
        var result = Verify(golden, LinearScan.Instance);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Fail));
        Assert.That(result.Reason, Does.StartWith(name + "["));
    }

    [Test]
    public void Golden_OpWithoutCudaKernels_IsUnsupportedWithTheReason()
    {
        var result = Verify(GoldenTestCase.OfOp(), new TinyOp(TinyOpFault.None));
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Unsupported));
        Assert.That(result.Reason, Is.EqualTo("tiny_product has no cuda backend, and libtorch, which would run its reference on the card, has no CUDA here."));
    }

    [Test]
    public void Golden_Model_IsUnsupportedWithTheReason()
    {
        var catalog = new Catalog([new InstalledArchitecture(new TinyImageArchitecture(Fault.None), "Test", "1.0", _folder.FullName)], [], OpCatalog.Empty, []);
        var result = Verifier(catalog, "auto").Golden(GoldenTestCase.OfModel().Open(_folder.FullName)).Run();
        Assert.That((result.Status, result.Reason), Is.EqualTo((CheckStatus.Unsupported, OnCard.WhyNoModel)));
    }

    [Test]
    public void Golden_OtherBackendNamed_IsUnsupportedWithTheReason()
    {
        var result = Verify(Scan(), LinearScan.Instance, "cpu");
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Unsupported));
        Assert.That(result.Reason, Is.EqualTo("--kernels cpu: libtorch has no CUDA here, so that 'cpu' cannot run on the card; 'cuda' can."));
    }

    [Test]
    public void Properties_OfAnOp_HoldOnTheCard()
    {
        var results = Verifier(new Catalog([], [], new OpCatalog([LinearScan.Instance]), []), "auto").Properties(LinearScan.Instance).Select(c => c.Run()).ToList();
        Assert.That(results, Is.Not.Empty);
        Assert.That(results.Select(r => (r.Status, r.Reason)), Is.All.EqualTo((CheckStatus.Pass, (string?)null)));
        Assert.That(results.Select(r => r.Backends["linear_scan"]), Has.Some.EqualTo("cuda"));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Bench_Op_IsTimedByTheCardsClock(bool backward)
    {
        var sizes = new Dictionary<string, long> { ["B"] = 2, ["L"] = 20, ["D"] = 5 };
        var record = OpBench.Run(LinearScan.Instance, sizes, new JsonObject { ["h0"] = true }, backward, null, Options("auto")).Single();
        Assert.That((string?)record["backend"], Is.EqualTo("cuda"));
        Assert.That((int?)record["runs"], Is.EqualTo(3));
        Assert.That((double?)record["wall_ms_median"], Is.Positive);
        Assert.That(record["floor_ms"], Is.Null);
    }

    [Test]
    public void Bench_OtherBackendNamed_IsRefused() =>
        Assert.That(
            () => OpBench.Run(LinearScan.Instance, new Dictionary<string, long> { ["B"] = 1, ["L"] = 1, ["D"] = 1 }, [], false, null, Options("cpu")),
            Throws.TypeOf<UserException>().With.Message.EqualTo(
                "--kernels cpu: libtorch has no CUDA here, so that 'cpu' cannot run on the emulated sm_90; 'cuda' can."));

    [Test]
    public void ParseForOps_ACardInUse_IsIt()
    {
        using var emulation = CudaEmulator.Install();
        var (device, card) = DeviceName.ParseForOps("cuda");
        Assert.That(device.type, Is.EqualTo(DeviceType.CPU));
        Assert.That(card, Is.InstanceOf<CudaEmulator>());
        Assert.That(DeviceName.ParseForOps("cpu").Card, Is.Null);
        Assert.That(() => DeviceName.ParseForOps("gpu"), Throws.TypeOf<UserException>().With.Message.EqualTo("--device gpu: it must be cpu, cuda or cuda:n."));
    }

    [TestCase("verify --device cuda")]
    [TestCase("bench --op linear_scan --shape B=1,L=1,D=1 --device cuda")]
    public void DeviceCuda_NoCard_SaysWhyAndEndsWithThree(string command)
    {
        if (torch.cuda.is_available() || CudaDevices.WhyNone() is not { } why)
        {
            Assert.Ignore("There is a card here.");
            return;
        }
        var outcome = ZooProcess.Run(command.Split(' ').Append("--quiet"));
        Assert.That(outcome.Error.Trim(), Is.EqualTo($"--device cuda: libtorch has no CUDA here, and {why}. `zoo doctor` says more."));
        Assert.That(outcome.ExitCode, Is.EqualTo(3));
    }

    private static BenchOptions Options(string kernels) => new()
    {
        Runs = 3,
        Warmup = 1,
        Threads = 1,
        Device = torch.CPU,
        Card = new CudaEmulator(),
        Kernels = KernelChoice.Parse(kernels),
    };

    private static Verifier Verifier(Catalog catalog, string kernels)
    {
        var choice = KernelChoice.Parse(kernels);
        return new Verifier(catalog, torch.CPU, choice, new OnCard(new CudaEmulator(), choice));
    }

    private CheckResult Verify(GoldenTestCase golden, Op op, string kernels = "auto") =>
        Verifier(new Catalog([], [], new OpCatalog([op]), []), kernels).Golden(golden.Open(_folder.FullName)).Run();

    /// <summary>A case of linear_scan as its reference gives it.</summary>
    private static GoldenTestCase Scan()
    {
        torch.manual_seed(5);
        var golden = new GoldenTestCase();
        golden.Metadata["level"] = "op";
        golden.Metadata["name"] = "linear_scan";
        golden.Metadata["config"] = "{}";
        var inputs = new NamedTensors
        {
            ["a"] = torch.rand(2, 33, 7).requires_grad_(),
            ["b"] = torch.randn(2, 33, 7).requires_grad_(),
            ["h0"] = torch.randn(2, 7).requires_grad_(),
        };
        var outputs = LinearScan.Instance.Invoke(inputs, OpOptions.None, KernelChoice.Parse("reference")).Outputs;
        torch.Tensor? loss = null;
        foreach (var (name, output) in outputs)
        {
            golden.Tensors["out." + name] = output.detach().clone();
            var probe = golden.Tensors["probe." + name] = torch.randn_like(output);
            loss = loss is null ? (output * probe).sum() : loss + (output * probe).sum();
        }
        Gradients.Backward(loss!);
        foreach (var (name, input) in inputs)
        {
            golden.Tensors["in." + name] = input.detach();
            golden.Tensors["grad.in." + name] = input.grad!.clone();
        }
        return golden;
    }
}
