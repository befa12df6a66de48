using Zoo.CudaEmulation;
using Zoo.Files;
using Zoo.Kernels;
using Zoo.Tests.Files;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels.Cuda;

/// <summary>That the helper for kernel tests finds what is wrong.</summary>
[NonParallelizable]   // the card in use is the process's
public sealed class EmulatedOpTests
{
    [SetUp]
    public void Require() => EmulatedOp.Require();

    [Test]
    public void Check_ErrorAboveTheTolerance_Fails()
    {
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors { ["a"] = rand(1, 50, 3), ["b"] = randn(1, 50, 3) };
        Assert.That(Message(() => EmulatedOp.Check(LinearScan.Instance, inputs, tolerance: 1e-12)), Does.Contain("differs from the float64 reference"));
    }

    [Test]
    public void CheckGolden_RightCase_Passes() => EmulatedOp.CheckGolden(LinearScan.Instance, Case(_ => { }));

    [TestCase("out.h")]
    [TestCase("out.last_state")]
    [TestCase("grad.in.b")]
    public void CheckGolden_OneElementDiffers_Fails(string name) =>
        Assert.That(Message(() => EmulatedOp.CheckGolden(LinearScan.Instance, Case(t => t[name].view(-1)[0] += 0.01f))), Does.Contain(name.Split('.')[^1]));

    [Test]
    public void GoldenCases_OfAFolder_AreThoseOfTheOp()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder.File("plugins/Some/golden"));
        var path = Case(_ => { });
        File.Copy(path, folder.File("plugins/Some/golden/one.safetensors"));
        Assert.That(EmulatedOp.GoldenCases("linear_scan", folder.File(""), "Some").Select(Path.GetFileName), Does.Contain("one.safetensors"));
        Assert.That(EmulatedOp.GoldenCases("other", folder.File(""), "Some").Select(Path.GetFileName), Does.Not.Contain("one.safetensors"));
    }

    private readonly List<TemporaryFolder> _folders = [];

    [TearDown]
    public void Remove()
    {
        _folders.ForEach(f => f.Dispose());
        _folders.Clear();
    }

    /// <summary>A case of linear_scan as its reference gives it, changed.</summary>
    private string Case(Action<NamedTensors> change)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var inputs = new NamedTensors { ["a"] = rand(2, 5, 3).requires_grad_(), ["b"] = randn(2, 5, 3).requires_grad_() };
        var outputs = LinearScan.Instance.Invoke(inputs, OpOptions.None, KernelChoice.Parse("reference")).Outputs;
        var tensors = new NamedTensors();
        foreach (var (name, output) in outputs)
        {
            tensors["out." + name] = output.detach().clone();
            tensors["probe." + name] = randn_like(output);
        }
        Gradients.Backward(outputs.Select(o => (o.Value * tensors["probe." + o.Key]).sum()).Aggregate((x, y) => x + y));
        foreach (var (name, input) in inputs)
        {
            tensors["in." + name] = input.detach();
            tensors["grad.in." + name] = input.grad!.clone();
        }
        change(tensors);
        var folder = new TemporaryFolder();
        _folders.Add(folder);
        var path = folder.File("case.safetensors");
        SafeTensorsWriter.Write(path, tensors, new Dictionary<string, string>
        {
            ["case"] = "case",
            ["level"] = "op",
            ["name"] = "linear_scan",
            ["config"] = "{}",
            ["atol"] = "1e-5",
            ["rtol"] = "1e-4",
        });
        return path;
    }

    /// <summary>Of the assertion that fails inside.</summary>
    private static string Message(Action test)
    {
        using (new NUnit.Framework.Internal.TestExecutionContext.IsolatedContext())
            return Assert.Throws<AssertionException>(test)!.Message;
    }
}
