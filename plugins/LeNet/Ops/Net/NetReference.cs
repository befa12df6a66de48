using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.LeNet.Ops.Net;

/// <summary>The net of 1989 in tensor code: the definition that the kernel is tested against.</summary>
internal static class NetReference
{
    private const int KernelSide = 5;
    private const int Stride = 2;
    private const int BorderWidth = 2;
    private const int GroupCount = 3;
    private const double Background = -1;   // empty paper

    private static readonly long[] PlanesSeen = [0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11];

    /// <param name="inputs">Images `x` [batch, 1, 16, 16], the eight parameters, and, for dropout, `kept` [batch, 192].</param>
    /// <param name="form">Which net.</param>
    /// <param name="normalise">What is done to the sums of H1, of H2 and of H3 before their nonlinearity; null for nothing.</param>
    /// <returns>[batch, 10].</returns>
    public static Tensor Forward(NamedTensors inputs, NetForm form, IReadOnlyList<Func<Tensor, Tensor>>? normalise = null)
    {
        using var scope = NewDisposeScope();
        var x = inputs["x"];
        var h1 = Hidden(0, SharedWeights(x, inputs["H1w"], groups: 1, Background) + inputs["H1b"]);                 // [batch, 12, 8, 8]
        var seen = h1.index_select(1, tensor(PlanesSeen, device: x.device));                                        // [batch, 3 x 8, 8, 8]
        var h2 = Hidden(1, SharedWeights(seen, inputs["H2w"], GroupCount, form.HiddenBorder) + inputs["H2b"]);      // [batch, 12, 4, 4]
        var features = h2.flatten(1);                                                                               // [batch, 192]
        if (inputs.Find("kept") is { } kept)
            features = features * kept;
        var h3 = Hidden(2, inputs["H3b"].addmm(features, inputs["H3w"], 1, 1));                                     // [batch, 30]
        var scores = inputs["outb"].addmm(h3, inputs["outw"], 1, 1);                                                // [batch, 10]
        return (form.TanhOutputs ? scores.tanh() : scores).MoveToOuterDisposeScope();

        Tensor Hidden(int layer, Tensor sums)
        {
            sums = normalise is null ? sums : normalise[layer](sums);
            return form.Relu ? sums.relu() : sums.tanh();
        }
    }

    /// <summary>Each output plane is one 5 x 5 kernel over its group's input planes, at every second place.</summary>
    /// <param name="x">[batch, groups x plane, side, side].</param>
    /// <param name="weights">[12, plane, 5, 5].</param>
    /// <param name="groups">Output and input planes are split into so many groups.</param>
    /// <param name="border">What lies around the planes.</param>
    /// <returns>[batch, 12, side / 2, side / 2], without biases.</returns>
    private static Tensor SharedWeights(Tensor x, Tensor weights, int groups, double border)
    {
        var padded = nn.functional.pad(x, [BorderWidth, BorderWidth, BorderWidth, BorderWidth], PaddingModes.Constant, border);
        if (x.shape[0] != 1)
            return nn.functional.conv2d(padded, weights, bias: null, strides: [Stride, Stride], groups: groups);

        // One image: libtorch's convolution spends most of its time getting ready; the same sums as a matrix product take half of it.
        var inputs = weights[0].numel();
        var side = x.shape[2] / Stride;
        var columns = nn.functional.unfold(padded, KernelSide, stride: Stride).view(groups, inputs, side * side);
        return weights.view(groups, -1, inputs).bmm(columns).view(1, weights.shape[0], side, side);
    }
}
