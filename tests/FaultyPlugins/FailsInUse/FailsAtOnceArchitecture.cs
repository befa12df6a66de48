using Zoo.Architectures;
using Zoo.Configuration;

namespace Zoo.Faulty;

/// <summary>Its CreateModel cannot even be compiled to machine code: a local variable is of a type that is not there.</summary>
public sealed class FailsAtOnceArchitecture() : TinyArchitecture("fails-at-once")
{
    public override Model CreateModel(ModelConfig config, BuildContext context)
    {
        var later = new FutureValue(ConfigJson.Write(config).Count);
        return later.Count > 0 ? base.CreateModel(config, context) : throw new ShapeException($"{later}");
    }
}
