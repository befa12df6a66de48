using System.Collections;
using System.Reflection;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>Every parameter and submodule that a module holds is registered: otherwise it is neither trained nor saved.</summary>
internal sealed class ComponentsRegisteredProperty : IModelProperty
{
    public string Name => "components-registered";

    public PropertyOutcome Check(ModelSubject subject)
    {
        using var model = subject.Build();
        var registered = new HashSet<object>(ReferenceEqualityComparer.Instance);
        foreach (var module in model.modules())
            registered.Add(module);
        var parameters = model.parameters().Select(p => p.Handle).ToHashSet();
        var lost = new List<string>();
        foreach (var (path, module) in model.named_modules().Append(("", model)))
        {
            foreach (var field in Fields(module.GetType()))
            {
                if (Held(field.GetValue(module)).Any(held => held switch
                {
                    Parameter parameter => !parameters.Contains(parameter.Handle),
                    nn.Module inner => !registered.Contains(inner),
                    _ => false,
                }))
                {
                    lost.Add(path.Length > 0 ? $"{path}.{FieldName(field)}" : FieldName(field));
                }
            }
        }
        return lost.Count == 0 ? PropertyOutcome.Holds : PropertyOutcome.Fails(
            $"{Words.List(lost)} {(lost.Count == 1 ? "is" : "are")} neither trained nor saved: call RegisterComponents() at the end of the " +
            "constructor, and hold submodules in fields or a ModuleList, not in an array or a list.");
    }

    /// <summary>Fields of the classes that plugins wrote; TorchSharp's own keep caches that are none of their business.</summary>
    private static IEnumerable<FieldInfo> Fields(Type? type)
    {
        for (; type is not null && type.Assembly != typeof(nn.Module).Assembly; type = type.BaseType)
        {
            foreach (var field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
                yield return field;
        }
    }

    /// <summary>The field's value, or what a collection in it holds.</summary>
    private static IEnumerable<object?> Held(object? value) => value switch
    {
        Tensor or nn.Module => [value],
        IDictionary dictionary => dictionary.Values.Cast<object?>(),
        IList list when !IsOfNumbers(list) => list.Cast<object?>(),
        _ => [],
    };

    private static bool IsOfNumbers(IList list) => list.GetType().GetElementType() is { IsPrimitive: true };

    private static string FieldName(FieldInfo field) =>
        field.Name.StartsWith('<') ? field.Name[1..field.Name.IndexOf('>', StringComparison.Ordinal)] : field.Name;
}
