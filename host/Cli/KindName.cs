using System.Text.Json;
using Zoo.Architectures;

namespace Zoo.Host.Cli;

/// <summary>The kinds of models as `zoo list` and `zoo show` name them: "token-model".</summary>
internal static class KindName
{
    /// <summary>The name of one.</summary>
    public static string Of(ModelKind kind) => JsonNamingPolicy.KebabCaseLower.ConvertName(kind.ToString());

    /// <summary>The names of all that an architecture serves, its own first.</summary>
    public static string OfAll(ArchitectureInfo info) => string.Join(", ", info.OtherKinds.Prepend(info.Kind).Select(Of));
}
