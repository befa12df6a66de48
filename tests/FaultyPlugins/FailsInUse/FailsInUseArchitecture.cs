using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Zoo.Architectures;

namespace Zoo.Faulty;

/// <summary>Describes itself well and fails when a model is built; the preset says how.</summary>
public sealed class FailsInUseArchitecture() : TinyArchitecture("fails-in-use")
{
    public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } = new Dictionary<string, ModelConfig>
    {
        ["default"] = new TinyConfig(),
        ["member"] = new TinyConfig { ClassCount = 2 },
        ["library"] = new TinyConfig { ClassCount = 3 },
    };

    public override Model CreateModel(ModelConfig config, BuildContext context) => ((TinyConfig)config).ClassCount switch
    {
        2 => throw new InvalidOperationException($"There have been {MissingMember()}."),
        3 => throw new InvalidOperationException($"There have been {MissingLibrary()}."),
        _ => throw new InvalidOperationException("the layers do not fit"),
    };

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int MissingMember() => ShapeException.CountSoFar();

    [DllImport("zoofaulty", EntryPoint = "count_so_far")]
    private static extern int MissingLibrary();
}
