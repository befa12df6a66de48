using TorchSharp;

namespace Zoo.Kernels;

/// <summary>
/// A hand-written backend of an op: functions on raw memory, forward and backward. Knows no tensor, so that it can be tested, emulated and
/// timed without libtorch's CUDA build. Holds no state between calls.
/// </summary>
public abstract class OpKernel
{
    /// <summary>"cpu" or "cuda".</summary>
    public abstract string Backend { get; }

    /// <summary>Why it cannot take this call, in words for the user; null when it can.</summary>
    public virtual string? Reject(OpCall call) => null;

    /// <summary>Arrays that forward keeps for backward; none are allocated where no gradient is needed, and their names are then absent.</summary>
    public virtual IReadOnlyList<KernelArraySpec> Saved(OpCall call) => [];

    /// <summary>
    /// Whether backward reads an output. One that it does not is absent there, and its memory is free as soon as nobody else holds it.
    /// </summary>
    /// <param name="output">Its name.</param>
    public virtual bool ReadsOutput(string output) => true;

    /// <summary>Fills every output, and what is kept for backward. Output memory holds anything before.</summary>
    public abstract void Forward(OpCall call, KernelArrays arrays);

    /// <summary>Fills the gradient of every input that wants one.</summary>
    public abstract void Backward(OpCall call, KernelArrays arrays);

    /// <summary><see cref="Reject"/>, after what holds for every kernel of this backend: device and element types.</summary>
    internal string? WhyNot(OpCall call)
    {
        foreach (var argument in call.Op.Arguments)
        {
            if (call.Inputs.Find(argument.Name) is not { } tensor)
                continue;
            if (Backend == KernelChoice.Cpu && tensor.device_type != DeviceType.CPU)
                return $"'{argument.Name}' is on {tensor.device}; the cpu backend needs it on the CPU";
            var fits = argument.Dtype is not null || tensor.dtype == torch.ScalarType.Float32
                || (argument.MayBeBFloat16 && tensor.dtype == torch.ScalarType.BFloat16);
            if (!fits)
                return $"'{argument.Name}' is {tensor.dtype}; the {Backend} backend is written for Float32";
        }
        return Reject(call);
    }
}
