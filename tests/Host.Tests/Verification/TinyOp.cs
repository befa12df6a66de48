using Zoo.Kernels;

namespace Zoo.Tests.Verification;

/// <summary>y = scale x w, and the integers next to it: right, or wrong in one planted way.</summary>
internal sealed class TinyOp(TinyOpFault fault = TinyOpFault.None) : Op
{
    public override string Name => "tiny_product";

    public override string Title => "scale x w";

    public override IReadOnlyList<OpArgument> Arguments { get; } =
        [new("x", "B", "D"), new("_w_", "D"), new("shift", "D") { Optional = true }];

    public override IReadOnlyList<string> Options => ["scale"];

    public override IReadOnlyList<string> Outputs => ["y", "x_int8"];

    public override IReadOnlyList<string> CaseNames => ["tiny_product", "tiny_product_recorded"];

    /// <summary>A case may have a bar on the sum of y.</summary>
    public override OpCaseResult RunCase(OpCase recorded, KernelChoice choice)
    {
        var result = base.RunCase(recorded, choice);
        var sum = result.Outputs["y"].abs().sum().item<float>();
        return recorded.Config["most"]?.GetValue<double>() is { } most && sum > most ? result with { Problems = [$"The sum is {sum} and may be {most}."] } : result;
    }

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        var x = inputs["x"];
        var w = fault switch
        {
            TinyOpFault.WrongGradient => 2 * inputs["_w_"] - inputs["_w_"].detach(),
            TinyOpFault.NoGradient => inputs["_w_"].detach(),
            _ => inputs["_w_"],
        };
        var y = options.Get("scale", 1.0) * x * w;
        if (inputs.Find("shift") is { } shift)
            y = y + shift;
        if (fault == TinyOpFault.UnseededNoise)
            y = y + Random.Shared.NextDouble();
        if (fault == TinyOpFault.WrongOutput)
            y = y + 1e-3;
        var integers = (x * 100 + (fault == TinyOpFault.WrongInteger ? 1 : 0)).detach().round().to(TorchSharp.torch.ScalarType.Int8);
        var outputs = new NamedTensors { ["y"] = y, ["x_int8"] = integers };
        if (fault == TinyOpFault.Undeclared)
            outputs["z"] = y;
        return outputs;
    }
}
