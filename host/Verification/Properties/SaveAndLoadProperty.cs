using Zoo.Architectures;
using Zoo.Files;
using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>Weights written to a safetensors file and loaded into another model give the same outputs, bit by bit.</summary>
internal sealed class SaveAndLoadProperty : IModelProperty
{
    public string Name => "save-and-load";

    public PropertyOutcome Check(ModelSubject subject)
    {
        using var saved = subject.Build();
        using var loaded = subject.Build(ModelSubject.Seed + 1);
        saved.eval();
        loaded.eval();
        var folder = Directory.CreateTempSubdirectory("zoo-verify-");
        try
        {
            var path = Path.Combine(folder.FullName, "model.safetensors");
            SafeTensorsWriter.Write(path, StateDict.Save(saved, withTiedKeys: true));
            using var file = SafeTensorsFile.Open(path);
            StateDict.Load(loaded, file.LoadAll(), "the file just written");
            using var noGradient = no_grad();
            var batch = subject.Examples(saved, count: 3);
            return PropertyOutcome.Of(
                TensorComparison.Compare("outputs", loaded.Run(batch).Outputs, saved.Run(batch).Outputs, 0, 0),
                "The loaded model has other outputs: something that they depend on is not in the state dict.");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
