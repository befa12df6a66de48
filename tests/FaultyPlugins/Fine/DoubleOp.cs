using Microsoft.Extensions.Logging;
using Zoo.Kernels;

namespace Zoo.Faulty;

/// <summary>y = 2x; asks for a logger, as a plugin's services may.</summary>
internal sealed class DoubleOp(ILogger<DoubleOp> logger) : Op
{
    public override string Name => "fine_double";

    public override string Title => "Twice its input";

    public override IReadOnlyList<OpArgument> Arguments { get; } = [new("x", "...")];

    public override IReadOnlyList<string> Outputs { get; } = ["y"];

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        if (inputs["x"].numel() == 0)
            logger.LogWarning("Nothing to double.");
        return new NamedTensors { ["y"] = inputs["x"] * 2 };
    }
}
