using TorchSharp;
using Zoo.Architectures;
using Zoo.Files;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Host.Verification;

/// <summary>Runs golden cases on what is installed.</summary>
/// <param name="catalog">What is installed.</param>
/// <param name="device">Where to run.</param>
/// <param name="kernels">Which backends to use.</param>
/// <param name="onCard">A card beside a libtorch without CUDA; null where there is none, or libtorch has it.</param>
internal sealed class GoldenRunner(Catalog catalog, Device device, KernelChoice kernels, OnCard? onCard = null)
{
    /// <summary>Runs a case; the caller has opened a dispose scope.</summary>
    public CheckResult Run(GoldenCase golden) => golden.IsModel ? RunModel(golden) : RunOp(golden);

    private CheckResult RunModel(GoldenCase golden)
    {
        if (!catalog.HasArchitecture(golden.Name))
            return Unsupported(golden, $"No installed plugin has an architecture named '{golden.Name}'.");
        if (onCard is not null)
            return Unsupported(golden, OnCard.WhyNoModel);
        var (installed, preset) = catalog.Architecture(golden.Name);
        var config = installed.Architecture.ReadUpstreamConfig(preset, golden.Config);
        using var model = installed.Architecture.CreateModel(config, new BuildContext { Device = device, Kernels = kernels, Ops = catalog.Ops });
        if (device.type != DeviceType.CPU)
            model.to(device);
        model.eval();
        var tensors = golden.Load();
        var names = new UpstreamNames(installed.Architecture, config, tensors.Parameters.Keys, $"the case {golden.Id}");
        StateDict.Load(model, names.ToModel(tensors.Parameters), $"the case {golden.Id}");
        var inputs = OnDevice(tensors.Inputs, tensors.InputGradients);
        using var gradientMode = tensors.Probes.Count > 0 ? null : no_grad();
        var outputs = RunModelCase(model, golden, inputs);
        return CompareAll(golden, tensors, outputs, inputs, name => names.GradientOf(name, ModelParameters.ByUpstreamName(model)), []);
    }

    private static NamedTensors RunModelCase(Model model, GoldenCase golden, NamedTensors inputs)
    {
        try
        {
            return model.RunCase(inputs);
        }
        catch (KeyNotFoundException e)
        {
            var given = inputs.Count == 0 ? "none" : string.Join(", ", inputs.Keys.Select(name => GoldenTensors.In + name));
            throw new BadFileException($"The case lacks an input that {golden.Name} takes; it has {given}. ({e.Message})", e);
        }
    }

    private CheckResult RunOp(GoldenCase golden)
    {
        if (catalog.Ops.FindForCase(golden.Name) is not { } op)
            return Unsupported(golden, $"No installed plugin has an op named '{golden.Name}'.");
        string? why = null;
        var backends = onCard?.KernelsFor(op, out why) ?? kernels;
        if (why is not null)
            return Unsupported(golden, why);
        using var use = onCard?.Use();
        var tensors = golden.Load();
        var inputs = OnDevice(tensors.Inputs, tensors.InputGradients);
        var parameters = OnDevice(tensors.Parameters, tensors.ParameterGradients);
        var arguments = new NamedTensors(inputs);
        foreach (var (name, parameter) in parameters)
        {
            if (!arguments.TryAdd(name, parameter))
                return Result(golden, null, null, [$"The case has both an input and a parameter named '{name}'."]);
        }
        using var gradientMode = tensors.Probes.Count > 0 ? null : no_grad();
        var result = op.RunCase(new OpCase(arguments, tensors.Outputs, golden.Config), backends);
        return CompareAll(golden, tensors, result.Outputs, inputs, name => parameters[name].grad, result.Problems);
    }

    private static CheckResult CompareAll(
        GoldenCase golden, GoldenTensors tensors, NamedTensors outputs, NamedTensors inputs, Func<string, Tensor?> gradientOf, IEnumerable<string> problems)
    {
        var comparison = new Comparison(golden);
        foreach (var problem in problems)
            comparison.Add(problem);
        foreach (var (name, expected) in tensors.Outputs)
            comparison.Add($"out.{name}", outputs.Find(name), expected, "is not among the outputs");
        if (tensors.InputGradients.Count + tensors.ParameterGradients.Count == 0)
            return comparison.Result();

        Tensor? loss = null;
        foreach (var (name, probe) in tensors.Probes)
        {
            // A missing or misshaped output is a problem already; products of other shapes would only hide it.
            if (outputs.Find(name) is not { } output || !output.shape.AsSpan().SequenceEqual(probe.shape) || !output.requires_grad)
                continue;
            var term = (output * probe.to(output.device)).sum();
            loss = loss is null ? term : loss + term;
        }
        if (loss is null)
        {
            comparison.Add("None of the probed outputs has a gradient.");
            return comparison.Result();
        }
        Gradients.Backward(loss);
        foreach (var (name, expected) in tensors.InputGradients)
            comparison.Add($"grad.in.{name}", inputs[name].grad, expected, "was reached by no gradient");
        foreach (var (name, expected) in tensors.ParameterGradients)
            comparison.Add($"grad.param.{name}", gradientOf(name), expected, "was reached by no gradient");
        return comparison.Result();
    }

    private NamedTensors OnDevice(NamedTensors tensors, NamedTensors gradients)
    {
        var moved = new NamedTensors();
        foreach (var (name, tensor) in tensors)
            moved[name] = tensor.detach().clone().to(device).requires_grad_(gradients.ContainsKey(name));
        return moved;
    }

    private static CheckResult Unsupported(GoldenCase golden, string reason) =>
        new(golden.Id, CheckResult.Golden, golden.Name, CheckStatus.Unsupported) { Reason = reason };

    private static CheckResult Result(GoldenCase golden, double? maximum, Deviation? worst, IReadOnlyList<string> problems) =>
        new(golden.Id, CheckResult.Golden, golden.Name, problems.Count == 0 ? CheckStatus.Pass : CheckStatus.Fail)
        {
            MaxAbsoluteError = maximum,
            Worst = worst,
            Reason = problems.Count == 0 ? null : string.Join(" ", problems.Take(3)) + (problems.Count > 3 ? $" And {problems.Count - 3} more." : ""),
        };

    /// <summary>Gathers what the tensors of one case gave.</summary>
    private sealed class Comparison(GoldenCase golden)
    {
        private readonly List<string> _problems = [];
        private double? _maximum;
        private Deviation? _worst;
        private bool _worstIsProblem;

        public void Add(string problem) => _problems.Add(problem);

        public void Add(string name, Tensor? got, Tensor expected, string whenMissing)
        {
            if (got is null)
            {
                _problems.Add($"{name} {whenMissing}.");
                return;
            }
            var one = TensorComparison.Compare(name, got, expected, golden.AbsoluteTolerance, golden.RelativeTolerance);
            if (one.Problem is not null)
                _problems.Add(one.Problem);
            if (one.MaxAbsoluteError is not { } error)
                return;
            _maximum = Math.Max(_maximum ?? 0, error);
            var isProblem = one.Problem is not null;
            if (_worst is null || (isProblem && !_worstIsProblem) || (isProblem == _worstIsProblem && one.Worst!.AbsoluteError > _worst.AbsoluteError))
                (_worst, _worstIsProblem) = (one.Worst, isProblem);
        }

        public CheckResult Result() => GoldenRunner.Result(golden, _maximum, _worst, _problems);
    }
}
