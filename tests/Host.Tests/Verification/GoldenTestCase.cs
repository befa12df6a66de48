using Zoo.Files;
using Zoo.Host.Verification;
using static TorchSharp.torch;

namespace Zoo.Tests.Verification;

/// <summary>A golden case in the making: right for the planted model or op until a test changes something.</summary>
internal sealed class GoldenTestCase
{
    public Dictionary<string, string> Metadata { get; } = new()
    {
        ["case"] = "tiny-case",
        ["level"] = "model",
        ["name"] = "tiny-image",
        ["config"] = """{"hidden_size": 5}""",
        ["source"] = "definition",
        ["atol"] = "1e-5",
        ["rtol"] = "1e-4",
    };

    public NamedTensors Tensors { get; } = [];

    /// <summary>What a right model gives.</summary>
    public static GoldenTestCase OfModel()
    {
        manual_seed(3);
        var golden = new GoldenTestCase();
        using var model = new TinyImageModel(new TinyImageConfig { HiddenDim = 5 }, Fault.None);
        var x = randn(2, 1, 4, 4).requires_grad_();
        var y = tensor(new float[] { 1, -1, -1, -1, -1, 1 }, 2, 3);
        var outputs = model.RunCase(new NamedTensors { ["x"] = x, ["y"] = y });
        golden.Tensors["in.x"] = x.detach();
        golden.Tensors["in.y"] = y;
        Tensor? loss = null;
        foreach (var (name, output) in outputs)
        {
            golden.Tensors[$"out.{name}"] = output.detach();
            var probe = golden.Tensors[$"probe.{name}"] = randn_like(output);
            var term = (output * probe).sum();
            loss = loss is null ? term : loss + term;
        }
        loss!.backward();
        golden.Tensors["grad.in.x"] = x.grad!.clone();
        foreach (var (name, parameter) in model.named_parameters())
        {
            golden.Tensors[$"param.{name}"] = parameter.detach().clone();
            golden.Tensors[$"grad.param.{name}"] = parameter.grad!.clone();
        }
        return golden;
    }

    /// <summary>What the right op gives.</summary>
    public static GoldenTestCase OfOp()
    {
        manual_seed(4);
        var golden = new GoldenTestCase();
        golden.Metadata["level"] = "op";
        golden.Metadata["name"] = "tiny_product";
        golden.Metadata["config"] = """{"scale": 3, "remark": "describes the case and is read by nobody"}""";
        var (x, w, probe) = (rand(2, 4), rand(4), rand(2, 4));
        golden.Tensors["in.x"] = x;
        golden.Tensors["param._w_"] = w;
        golden.Tensors["out.y"] = 3 * x * w;
        golden.Tensors["out.x_int8"] = (x * 100).round().to(ScalarType.Int8);
        golden.Tensors["probe.y"] = probe;
        golden.Tensors["grad.in.x"] = 3 * probe * w;
        golden.Tensors["grad.param._w_"] = (3 * probe * x).sum(dim: 0);
        return golden;
    }

    /// <summary>Writes it and opens it as the program does.</summary>
    public GoldenCase Open(string folder) => GoldenCase.Open(Write(folder));

    /// <summary>Writes it.</summary>
    public string Write(string folder)
    {
        var path = Path.Combine(folder, $"{Guid.NewGuid():N}.safetensors");
        SafeTensorsWriter.Write(path, Tensors, Metadata);
        return path;
    }
}
