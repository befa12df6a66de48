using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>A backend of an optimiser's update: a list of tensors as raw memory, or the rows of an op's arguments.</summary>
internal abstract unsafe class UpdateKernel : OpKernel
{
    /// <summary>Where its memory is.</summary>
    protected abstract DeviceType Device { get; }

    /// <summary>Updates a list.</summary>
    /// <returns>The norm of all gradients where <paramref name="largestNorm"/> is above 0, else null. Where it is not finite, nothing was updated.</returns>
    protected abstract double? Update(UpdateEntry[] entries, IUpdateRule rule, double largestNorm);

    /// <summary>Why it cannot take this list; null when it can.</summary>
    public string? WhyNot(IReadOnlyList<UpdatedTensor> tensors)
    {
        foreach (var tensor in tensors)
        {
            if (Fault("", tensor.Value, bfloat16: false) is { } fault)
                return fault;
            if (Fault("the gradient of ", tensor.Gradient, bfloat16: true) is { } gradientFault)
                return gradientFault;
            foreach (var state in tensor.State)
            {
                if (Fault("the state of ", state, bfloat16: false) is { } stateFault)
                    return stateFault;
            }
            if (tensor.LowPrecision is { } copy && (copy.dtype != ScalarType.BFloat16 || copy.device_type != Device || !copy.is_contiguous()))
                return $"the low-precision copy of '{tensor.Name}' is not a contiguous BFloat16 tensor beside it";

            string? Fault(string what, Tensor other, bool bfloat16) =>
                other.device_type != Device ? $"{what}'{tensor.Name}' is on {other.device}; the {Backend} backend needs it on {Device}"
                : other.dtype != ScalarType.Float32 && !(bfloat16 && other.dtype == ScalarType.BFloat16)
                    ? $"{what}'{tensor.Name}' is {other.dtype}; the {Backend} backend is written for Float32"
                : null;
        }
        return null;
    }

    /// <summary>Updates a list of tensors of any layout.</summary>
    public double? Update(IReadOnlyList<UpdatedTensor> tensors, IUpdateRule rule, double largestNorm)
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
        var norm = Update(entries, rule, largestNorm);
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

    /// <summary>The rows of [N, E] arguments.</summary>
    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var op = (UpdateOp)call.Op;
        var states = op.StateNames.Select(s => arrays[s]).ToList();
        var rule = op.RuleOf(call);
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
                First = rule.StateCount > 0 ? states[0].Float32 + start : null,
                Second = rule.StateCount > 1 ? states[1].Float32 + start : null,
                LearningRate = rate,
                WeightDecay = decay,
            };
        }
        if (Update(entries, rule, UpdateOp.LargestNorm(call.Options)) is { } norm)
            StoreNorm(arrays["grad_norm"], (float)norm);
    }

    /// <summary>There is none: every argument is refused where it requires a gradient.</summary>
    public override void Backward(OpCall call, KernelArrays arrays) => throw new NotSupportedException($"{call.Op.Name} has no gradient.");

    /// <summary>Writes the op's output, in the backend's memory.</summary>
    protected abstract void StoreNorm(KernelArray output, float norm);
}
