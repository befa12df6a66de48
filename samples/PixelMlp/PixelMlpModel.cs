using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.Tasks;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace PixelMlp;

/// <summary>pixels → hidden units → class scores: y = W₂ f(W₁ x + b₁) + b₂.</summary>
internal sealed class PixelMlpModel : ImageClassifier
{
    // Modules are fields; properties and arrays would not be registered. The names are the keys in model.safetensors.
    [ComponentName(Name = "fc1")] private readonly Linear _hidden;
    [ComponentName(Name = "fc2")] private readonly Linear _scores;
    private readonly Func<Tensor, Tensor> _activate;

    public PixelMlpModel(PixelMlpConfig config, BuildContext context) : base(nameof(PixelMlpModel))
    {
        Input = new ImageShape(config.Channels, config.Height, config.Width);
        ClassCount = config.ClassCount;
        _activate = ActivationOf(config.Activation, context);
        _hidden = Linear((long)config.Channels * config.Height * config.Width, config.HiddenDim, device: context.Device);
        _scores = Linear(config.HiddenDim, config.ClassCount, device: context.Device);

        // The constructor initialises; nobody does it again. The host has set the seed before.
        init.xavier_uniform_(_hidden.weight);
        init.zeros_(_hidden.bias);

        RegisterComponents();   // last: it finds the fields above
    }

    public override ImageShape Input { get; }

    public override int ClassCount { get; }

    /// <param name="images">[batch, channel, height, width]; the host has checked that they are <see cref="Input"/>.</param>
    /// <returns>[batch, class].</returns>
    public override Tensor Logits(Tensor images)
    {
        using var scope = NewDisposeScope();   // frees what is made on the way
        var pixels = images.flatten(1);        // [batch, channel × height × width]
        var hidden = _activate(_hidden.forward(pixels));
        return _scores.forward(hidden).MoveToOuterDisposeScope();
    }

    /// <summary>Weight decay for the weights, none for the biases. A parameter that is in no group gets the run's settings.</summary>
    public override IReadOnlyList<ParameterGroup> ParameterGroups() => [new(["fc1.bias", "fc2.bias"]) { WeightDecay = 0 }];

    private static Func<Tensor, Tensor> ActivationOf(string name, BuildContext context)
    {
        if (name == "tanh")
            return x => x.tanh();
        if (name == "relu")
            return x => x.relu();
        var op = context.Ops.Get(name);   // any installed plugin's; where none has it, the user gets a sentence
        if (op.Arguments is not [{ Name: "x" }] || !op.Outputs.Contains("y"))
            throw new UserException($"'activation' is the op '{name}', which is no function from x to y.");
        return x => op.Invoke(new NamedTensors { ["x"] = x }, OpOptions.None, context.Kernels).Outputs["y"];
    }
}
