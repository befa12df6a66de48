using TorchSharp;
using Zoo.Native;

namespace Zoo.Tests;

public sealed class LibTorchTests
{
    [Test]
    public void Load_OnThisMachine_TensorsWork()
    {
        using var x = torch.ones(3, 4);
        using var sum = x.sum();
        Assert.That(sum.item<float>(), Is.EqualTo(12));
        Assert.That(LibTorch.Loaded, Is.Not.Null);
    }
}
