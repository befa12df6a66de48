using System.Reflection;
using TorchSharp;
using Zoo.CudaEmulation;
using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.Tests.ThirdParty;

/// <summary>docs/custom-operators.md, followed to the letter outside the repository: an operator for any TorchSharp program, without the host.</summary>
[TestFixture]
public sealed class CustomOperatorsGuideTests
{
    /// <summary>Measured: 3.8e-7, of values up to 4.</summary>
    private const double Tolerance = 8e-7;

    private Workshop? _workshop;
    private GuideRun? _run;
    private Assembly? _program;

    [OneTimeSetUp]
    public void FollowTheGuide()
    {
        if (OperatingSystem.IsWindows())
            Assert.Ignore("The walk-through's commands are for a POSIX shell.");
        _workshop = new Workshop();
        _run = new GuideRun(Guide.Read(Path.Combine(Checkout.Root, "docs", "custom-operators.md")), _workshop);
        if (_run.Failure is null)
            _program = Assembly.LoadFrom(Path.Combine(_workshop.Folder, "Gate", "bin", "Release", "net10.0", "Gate.dll"));
    }

    [OneTimeTearDown]
    public void CleanUp() => _workshop?.Dispose();

    [Test]
    public void Commands_TypedInOrder_PrintWhatTheGuideSays()
    {
        Assert.That(_run!.Failure, Is.Null);
        Assert.That(_run.WrongOutput(), Is.Empty);
    }

    [Test]
    public void CpuKernel_OfTheGuide_EqualsItsDefinition([Values(1, 7, 5000)] int length)
    {
        var op = TheOp();
        using var scope = torch.NewDisposeScope();
        var (got, exact) = (Run(op, length, torch.ScalarType.Float32, "cpu"), Run(op, length, torch.ScalarType.Float64, "reference"));
        foreach (var (actual, expected) in got.Zip(exact))
            Assert.That((actual.to(torch.ScalarType.Float64) - expected).abs().max().item<double>(), Is.LessThan(Tolerance));
    }

    [Test]
    public void CudaKernel_OfTheGuide_EqualsItsDefinition([Values(1, 7, 500)] int length)
    {
        var op = TheOp();
        using var scope = torch.NewDisposeScope();
        EmulatedOp.Check(op, Inputs(length), Tolerance);
    }

    [TestCaseSource(typeof(CompiledSource), nameof(CompiledSource.Targets))]
    public void CudaSource_OfTheGuide_CompilesForEveryKindOfCard(string target)
    {
        _ = TheOp();
        CompiledSource.Require(CudaSource.Of(_program!, "Gate.cu"), target);
    }

    private Op TheOp()
    {
        if (_program is null)
            Assert.Inconclusive("The walk-through failed, as another test of this fixture says, so there is nothing to look at.");
        return (Op)_program!.GetType("GateOp", throwOnError: true)!.GetProperty("Instance")!.GetValue(null)!;
    }

    private static NamedTensors Inputs(int length)
    {
        torch.manual_seed(1);
        return new() { ["x"] = torch.randn(3, length), ["g"] = 3 * torch.randn(3, length) };
    }

    private static torch.Tensor[] Run(Op op, int length, torch.ScalarType dtype, string kernels)
    {
        var inputs = new NamedTensors(Inputs(length).Select(i => KeyValuePair.Create(i.Key, i.Value.to(dtype).requires_grad_())));
        var y = op.Invoke(inputs, OpOptions.None, KernelChoice.Parse(kernels)).Outputs["y"];
        Gradients.Backward(y.sum());
        return [y.detach(), inputs["x"].grad!, inputs["g"].grad!];
    }
}
