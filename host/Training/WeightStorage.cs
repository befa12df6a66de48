using System.Reflection;
using TorchSharp.Modules;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.Host.Training;

/// <summary>Stores a model's matrices in bfloat16: half the memory, and half the bytes that decoding reads a token. For inference only.</summary>
internal static class WeightStorage
{
    private static readonly MethodInfo Register = typeof(nn.Module).GetMethod(
        "ConditionallyRegisterParameter", BindingFlags.Instance | BindingFlags.NonPublic, [typeof(string), typeof(Tensor)])!;

    /// <summary>Rounds every matrix that is no float32 island to bfloat16; the rest stays as it is.</summary>
    /// <param name="model">One with <see cref="ModelAbilities.BFloat16"/>; its parameters stop asking for gradients.</param>
    public static void RoundToBFloat16(Model model)
    {
        using var noGradient = no_grad();
        var rounded = new Dictionary<IntPtr, Parameter>();
        var before = new List<Parameter>();
        Round(model, "", model, rounded, before);
        foreach (var parameter in before.DistinctBy(p => p.Handle).ToList())
            parameter.Dispose();
    }

    private static void Round(nn.Module module, string prefix, Model model, Dictionary<IntPtr, Parameter> rounded, List<Parameter> before)
    {
        foreach (var (name, parameter) in module.named_parameters(recurse: false).ToList())
        {
            if (parameter.Dimensions != 2 || parameter.dtype != ScalarType.Float32 || model.IsFloat32Island(prefix + name))
                continue;
            if (!rounded.TryGetValue(parameter.Handle, out var small))   // one tensor may be the parameter of two modules
            {
                rounded[parameter.Handle] = small = new Parameter(parameter.to(ScalarType.BFloat16), requires_grad: false);
                small.DetachFromDisposeScope();
                before.Add(parameter);
            }
            Replace(module, name, parameter, small);
        }
        foreach (var (name, child) in module.named_children())
            Round(child, $"{prefix}{name}.", model, rounded, before);
    }

    /// <summary>TorchSharp keeps a parameter twice: in the module's list and in the field that the forward pass reads.</summary>
    private static void Replace(nn.Module module, string name, Parameter old, Parameter replacement)
    {
        Register.Invoke(module, [name, replacement]);
        for (var type = module.GetType(); type is not null && type != typeof(nn.Module); type = type.BaseType)
        {
            foreach (var field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            {
                if (typeof(Tensor).IsAssignableFrom(field.FieldType) && ReferenceEquals(field.GetValue(module), old))
                    field.SetValue(module, replacement);
            }
        }
    }
}
