Zoo.Native.LibTorch.Load();
using var x = TorchSharp.torch.randn(3, 4);
Console.WriteLine(x.sum().item<float>());
