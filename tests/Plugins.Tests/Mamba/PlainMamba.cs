using Zoo.Mamba;
using static TorchSharp.torch;

namespace Zoo.Tests.Mamba;

/// <summary>
/// The language model once more in float64, from the paper: no code in common with the plugin but the names of parameters. Gradients are libtorch's.
/// </summary>
internal sealed class PlainMamba(IReadOnlyDictionary<string, Tensor> parameters, MambaConfig config)
{
    private const double Epsilon = 1e-5;

    /// <summary>[batch, time] to [batch, time, padded vocabulary].</summary>
    public Tensor Logits(Tensor ids)
    {
        var table = parameters["backbone.embedding.weight"];
        var stream = table.index_select(0, ids.flatten()).view(ids.shape[0], ids.shape[1], table.shape[1]);
        for (var layer = 0; layer < config.LayerCount; layer++)
            stream = stream + Mix($"backbone.layers.{layer}.mixer.", Norm($"backbone.layers.{layer}.norm", stream));
        return Norm("backbone.norm_f", stream).matmul(parameters.GetValueOrDefault("lm_head.weight", table).t());
    }

    private Tensor Norm(string name, Tensor x) => config.RmsNorm
        ? x / (x * x).mean([-1], keepdim: true).add(Epsilon).sqrt() * parameters[name + ".weight"]
        : nn.functional.layer_norm(x, [x.shape[^1]], parameters[name + ".weight"], parameters[name + ".bias"], Epsilon);

    private Tensor Mix(string name, Tensor x)
    {
        var halves = Linear(name + "in_proj", x).chunk(2, -1);
        var width = config.Mixer.ConvWidth;
        var padded = nn.functional.pad(halves[0].transpose(1, 2), [width - 1, 0]);
        var u = nn.functional.silu(nn.functional.conv1d(
            padded, parameters[name + "conv1d.weight"], parameters.GetValueOrDefault(name + "conv1d.bias"), groups: padded.shape[1])).transpose(1, 2);
        var states = config.Mixer.StateDim;
        var selected = Linear(name + "x_proj", u);
        var rank = selected.shape[2] - 2 * states;
        var delta = nn.functional.softplus(Linear(name + "dt_proj", selected.narrow(2, 0, rank)));
        var a = -parameters[name + "A_log"].exp();
        var h = zeros([x.shape[0], u.shape[2], states], ScalarType.Float64);
        var outputs = new List<Tensor>();
        for (var t = 0; t < x.shape[1]; t++)
        {
            var (step, input, b, c) = (At(delta, t).unsqueeze(-1), At(u, t).unsqueeze(-1), At(selected, t).narrow(1, rank, states), At(selected, t).narrow(1, rank + states, states));
            h = (step * a).exp() * h + step * b.unsqueeze(1) * input;
            outputs.Add((h * c.unsqueeze(1)).sum(-1));
        }
        var y = stack(outputs, 1) + parameters[name + "D"] * u;
        return Linear(name + "out_proj", y * nn.functional.silu(halves[1]));

        static Tensor At(Tensor x, long time) => x.select(1, time);
    }

    private Tensor Linear(string name, Tensor x)
    {
        var y = x.matmul(parameters[name + ".weight"].t());
        return parameters.GetValueOrDefault(name + ".bias") is { } bias ? y + bias : y;
    }
}
