using System.Collections;
using System.Reflection;
using System.Runtime.InteropServices;
using TorchSharp;
using Zoo.Architectures;

namespace Zoo.Host.Verification;

/// <summary>How large a state is: the tensors and arrays that its fields lead to. It is counted, not asked, because it checks a promise.</summary>
internal static class StateMemory
{
    private const BindingFlags Fields = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>Bytes of everything in it; modules that it refers to are the model's and do not count.</summary>
    public static long Bytes(ModelState state)
    {
        var seen = new HashSet<object>(ReferenceEqualityComparer.Instance);
        return Count(state);

        long Count(object? value) => value switch
        {
            null or string or Delegate or MemberInfo or torch.nn.Module or torch.Device => 0,
            _ when !value.GetType().IsValueType && !seen.Add(value) => 0,
            torch.Tensor tensor => tensor.IsInvalid ? 0 : tensor.numel() * tensor.element_size(),
            Array array when array.GetType().GetElementType() is { IsPrimitive: true } element => (long)array.Length * Marshal.SizeOf(element),
            IEnumerable items => items.Cast<object?>().Sum(Count),
            _ when value.GetType() is { IsPrimitive: true } or { IsEnum: true } or { IsPointer: true } => 0,
            _ => InFields(value),
        };

        long InFields(object value)
        {
            var bytes = 0L;
            for (var type = value.GetType(); type is not null && type != typeof(object); type = type.BaseType)
            {
                if (type.Assembly == typeof(object).Assembly && !type.IsGenericType)
                    break;
                foreach (var field in type.GetFields(Fields).Where(f => !f.FieldType.IsPointer))
                    bytes += Count(field.GetValue(value));
            }
            return bytes;
        }
    }
}
