using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>Lists of tensors, and rows of an op's arguments, as raw memory.</summary>
internal static unsafe class UpdateList
{
    /// <summary>Why a backend cannot take a list: another device or element type; null when it can.</summary>
    public static string? WhyNot(IReadOnlyList<UpdatedTensor> tensors, DeviceType device, string backend)
    {
        foreach (var tensor in tensors)
        {
            var fault = Fault("", tensor.Value, bfloat16: false) ?? Fault("the gradient of ", tensor.Gradient, bfloat16: true)
                ?? tensor.State.Select(state => Fault("the state of ", state, bfloat16: false)).FirstOrDefault(f => f is not null);
            if (fault is not null)
                return fault;
            if (tensor.LowPrecision is { } copy && (copy.dtype != ScalarType.BFloat16 || copy.device_type != device || !copy.is_contiguous()))
                return $"the low-precision copy of '{tensor.Name}' is not a contiguous BFloat16 tensor beside it";

            string? Fault(string what, Tensor other, bool bfloat16) =>
                other.device_type != device ? $"{what}'{tensor.Name}' is on {other.device}; the {backend} backend needs it on {device}"
                : other.dtype != ScalarType.Float32 && !(bfloat16 && other.dtype == ScalarType.BFloat16)
                    ? $"{what}'{tensor.Name}' is {other.dtype}; the {backend} backend is written for Float32"
                : null;
        }
        return null;
    }

    /// <summary>Runs an update on a list of tensors of any layout.</summary>
    public static double? Run(IReadOnlyList<UpdatedTensor> tensors, Func<UpdateEntry[], double?> update)
    {
        var entries = new UpdateEntry[tensors.Count];
        var held = new List<(Tensor Tensor, Tensor Dense)>();
        for (var i = 0; i < entries.Length; i++)
        {
            var tensor = tensors[i];
            entries[i] = new UpdateEntry
            {
                Count = tensor.Value.numel(),
                Value = (float*)Dense(tensor.Value),
                Gradient = (void*)Dense(tensor.Gradient),
                IsBFloat16 = tensor.Gradient.dtype == ScalarType.BFloat16,
                First = tensor.State.Count > 0 ? (float*)Dense(tensor.State[0]) : null,
                Second = tensor.State.Count > 1 ? (float*)Dense(tensor.State[1]) : null,
                Copy = tensor.LowPrecision is { } copy ? (ushort*)KernelArray.Of(copy).Pointer : null,
                LearningRate = tensor.LearningRate,
                WeightDecay = tensor.WeightDecay,
            };
        }
        var norm = update(entries);
        foreach (var (tensor, dense) in held)
            tensor.copy_(dense);
        GC.KeepAlive(tensors);
        return norm;

        // A tensor of another layout is updated as a copy; gradients are copied back too, unchanged.
        nint Dense(Tensor tensor)
        {
            if (tensor.is_contiguous())
                return KernelArray.Of(tensor).Pointer;
            held.Add((tensor, tensor.contiguous()));
            return KernelArray.Of(held[^1].Dense).Pointer;
        }
    }

    /// <summary>The rows of an op's [N, E] arguments.</summary>
    public static UpdateEntry[] Rows(OpCall call, KernelArrays arrays)
    {
        var op = (UpdateOp)call.Op;
        var stateCount = op.RuleOf(call).StateCount;
        var states = op.StateNames.Select(s => arrays[s]).ToList();
        var (rate, decay) = (UpdateOp.LearningRate(call.Options), UpdateOp.WeightDecay(call.Options));
        var length = call.Size("E");
        var entries = new UpdateEntry[call.Count("N")];
        for (var i = 0; i < entries.Length; i++)
        {
            var start = i * length;
            entries[i] = new UpdateEntry
            {
                Count = length,
                Value = arrays["params"].Float32 + start,
                Gradient = arrays["grads"].Float32 + start,
                First = stateCount > 0 ? states[0].Float32 + start : null,
                Second = stateCount > 1 ? states[1].Float32 + start : null,
                LearningRate = rate,
                WeightDecay = decay,
            };
        }
        return entries;
    }
}
