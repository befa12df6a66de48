using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.Mamba.Ops.Step;

/// <summary>A block's step in plain tensor code.</summary>
internal static class MambaStepReference
{
    public static NamedTensors Forward(NamedTensors inputs, bool isRms, double eps)
    {
        using var scope = NewDisposeScope();
        var hidden = inputs["hidden"];
        var sum = inputs.Find("residual") is { } residual ? hidden + residual : hidden.clone();
        var centred = isRms ? sum : sum - sum.mean([-1], keepdim: true);
        using Scalar epsilon = eps;
        var normed = centred * centred.square().mean([-1], keepdim: true).add(epsilon).rsqrt() * inputs["norm_weight"];
        if (inputs.Find("norm_bias") is { } bias)
            normed = normed + bias;

        var x = Product(normed, "in_x", "in_x_bias");                                                      // [batch, channel]
        var z = Product(normed, "in_z", "in_z_bias");
        var before = inputs["inputs"];
        var window = cat([before.narrow(1, 1, before.size(1) - 1), x.unsqueeze(1)], dim: 1);               // [batch, width, channel]
        var u = (window * inputs["conv_weight"].t()).sum(1);
        if (inputs.Find("conv_bias") is { } convBias)
            u = u + convBias;
        u = nn.functional.silu(u);

        var delta = nn.functional.softplus(Product(Product(u, "x_dt"), "dt_weight", "dt_bias")).unsqueeze(-1);
        var (b, c) = (Product(u, "x_b").unsqueeze(1), Product(u, "x_c").unsqueeze(1));                     // [batch, 1, state]
        var states = (delta * inputs["A"]).exp() * inputs["states"] + delta * b * u.unsqueeze(-1);
        var y = ((states * c).sum(-1) + inputs["skip"] * u) * nn.functional.silu(z);
        return new()
        {
            ["y"] = Product(y, "out_weight", "out_bias").MoveToOuterDisposeScope(),
            ["sum"] = sum.MoveToOuterDisposeScope(),
            ["next_inputs"] = window.MoveToOuterDisposeScope(),
            ["next_states"] = states.MoveToOuterDisposeScope(),
        };

        Tensor Product(Tensor vector, string weight, string biasName = "") =>
            nn.functional.linear(vector, inputs[weight].to(vector.dtype), inputs.Find(biasName));
    }
}
