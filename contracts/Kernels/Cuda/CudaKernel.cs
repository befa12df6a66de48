namespace Zoo.Kernels.Cuda;

/// <summary>
/// The cuda backend of an op: kernels in a .cu file that travels inside the assembly, and here their host side, which says what to launch on
/// which arrays. README.md beside this file walks through one.
/// </summary>
public abstract class CudaKernel : OpKernel
{
    /// <inheritdoc/>
    public sealed override string Backend => KernelChoice.Cuda;

    /// <summary>The .cu file: its path below the project, or its name alone where that is enough.</summary>
    public abstract string SourceName { get; }

    /// <summary>The oldest card it runs on, as compute capability times ten.</summary>
    public virtual int LeastArchitecture => 80;

    /// <summary>The embedded file.</summary>
    public CudaSource Source => field ??= CudaSource.Of(GetType().Assembly, SourceName);

    /// <summary>Where the inputs are, whether the card and a compiler for it are there, then <see cref="RejectCall"/>.</summary>
    public sealed override string? Reject(OpCall call)
    {
        var (device, why) = CudaDevices.Of(call);
        if (device is null)
            return why;
        if (device.Architecture < LeastArchitecture)
            return $"{device.Name} is sm_{device.Architecture}; the cuda backend needs sm_{LeastArchitecture} or later";
        return device.WhyNoCompiler ?? RejectCall(call, device);
    }

    /// <inheritdoc/>
    public sealed override void Forward(OpCall call, KernelArrays arrays) => Run(call, arrays, backward: false);

    /// <inheritdoc/>
    public sealed override void Backward(OpCall call, KernelArrays arrays) => Run(call, arrays, backward: true);

    /// <summary>Why these inputs do not suit the kernels, in words for the user; null when they do.</summary>
    /// <param name="call">The call.</param>
    /// <param name="device">Where it would run.</param>
    protected virtual string? RejectCall(OpCall call, ICudaDevice device) => null;

    /// <summary>Launches what fills every output, and what is kept for backward. Output memory holds anything before.</summary>
    protected abstract void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda);

    /// <summary>Launches what fills the gradient of every input that wants one.</summary>
    protected abstract void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda);

    private void Run(OpCall call, KernelArrays arrays, bool backward)
    {
        // Not from the call's tensors: they may be gone when a backward runs.
        var device = arrays.Device ?? (arrays.Card is { } card ? CudaCard.Open(card) : CudaDevices.InUse)
            ?? throw new InvalidOperationException($"{call}: the tensors are on the CPU, and the card that was in use is no longer.");
        if (arrays.Device is not null || arrays.Card is not null)
        {
            Launch(arrays);
            return;
        }
        using var staged = new StagedArrays(device, arrays, call.Op, backward);
        Launch(staged.Arrays);
        staged.CopyBack();

        void Launch(KernelArrays onDevice)
        {
            using var launcher = new CudaLauncher(device, Source, call);
            if (backward)
                Backward(call, onDevice, launcher);
            else
                Forward(call, onDevice, launcher);
        }
    }
}
