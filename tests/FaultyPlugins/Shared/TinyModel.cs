using TorchSharp.Modules;
using Zoo.Architectures;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Faulty;

/// <summary>Logistic regression on the pixels: the smallest model that learns.</summary>
internal sealed class TinyModel : ImageClassifier
{
    private readonly Linear _pixels;
    private readonly TinyConfig _config;

    public TinyModel(TinyConfig config, BuildContext context) : base(nameof(TinyModel))
    {
        _config = config;
        _pixels = nn.Linear(config.ImageSize * config.ImageSize, config.ClassCount, device: context.Device);
        RegisterComponents();
    }

    public override ImageShape Input => new(1, _config.ImageSize, _config.ImageSize);

    public override int ClassCount => _config.ClassCount;

    public override Tensor Logits(Tensor images) => _pixels.forward(images.flatten(start_dim: 1));
}
