using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.LeNet;

/// <summary>Digits of 28 x 28 bytes as the net takes them: 16 x 16 in [-1, 1]. Tensor code only; it runs once over a data set.</summary>
internal sealed class PrepareOp : Op
{
    /// <summary>Rows and columns before.</summary>
    public const int InputSide = 28;

    /// <summary>Rows and columns after.</summary>
    public const int OutputSide = 16;

    public override string Name => "lenet1989_prepare";

    public override string Title => "28 x 28 grey images to 16 x 16 in [-1, 1], bilinear without antialiasing";

    public override IReadOnlyList<OpArgument> Arguments { get; } = [new("image", "B", "1", $"{InputSide}", $"{InputSide}")];

    public override IReadOnlyList<string> Outputs { get; } = ["x"];

    /// <summary>Scales to [-1, 1], then takes each pixel between its two neighbours on each axis (README.md has the formula).</summary>
    /// <param name="image">0 to 255, [batch, 1, 28, 28].</param>
    /// <returns>[batch, 1, 16, 16], float32 unless <paramref name="image"/> is of a wider type.</returns>
    public static Tensor Apply(Tensor image)
    {
        Shape.Require(image, "image", Shape.Any, 1, InputSide, InputSide);
        using var scope = NewDisposeScope();
        var values = (image.is_floating_point() ? image : image.to(ScalarType.Float32)) / 127.5 - 1;
        return nn.functional.interpolate(values, [OutputSide, OutputSide], mode: InterpolationMode.Bilinear, align_corners: false)
            .MoveToOuterDisposeScope();
    }

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => new() { ["x"] = Apply(inputs["image"]) };
}
