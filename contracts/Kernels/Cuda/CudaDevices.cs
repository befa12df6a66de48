using TorchSharp;

namespace Zoo.Kernels.Cuda;

/// <summary>The cards of this machine, and where an op on CPU tensors runs while its cuda backend is asked for.</summary>
public static class CudaDevices
{
    private static readonly Lock Gate = new();
    private static ICudaDevice? _inUse;

    /// <summary>The card that <see cref="Use"/> chose; null outside of it.</summary>
    public static ICudaDevice? InUse => _inUse;

    /// <summary>
    /// Until the result is disposed, cuda kernels take tensors that lie on the CPU: they are copied to <paramref name="device"/> and back. For
    /// machines whose libtorch has no CUDA, and for the emulator of the tests.
    /// </summary>
    public static IDisposable Use(ICudaDevice device)
    {
        lock (Gate)
        {
            var before = _inUse;
            _inUse = device;
            return new Scope(before);
        }
    }

    /// <summary>A card; the one in use, where there is one.</summary>
    /// <exception cref="EnvironmentException">There is none of that index; the message says why.</exception>
    public static ICudaDevice Open(int index = 0) => _inUse ?? CudaCard.Open(index);

    /// <summary>Why there is no card of that index, in words for the user; null when there is.</summary>
    public static string? WhyNone(int index = 0) => _inUse is not null ? null : CudaCard.WhyNone(index);

    /// <summary>The CUDA version that the driver is for; null with the reason where there is no driver.</summary>
    public static (Version? Version, string? WhyNone) DriverVersion()
    {
        var (driver, why) = CudaDriver.Get();
        return driver is null ? (null, why) : (driver.Version, null);
    }

    /// <summary>Where a call's kernels run; null with the reason where they cannot.</summary>
    internal static (ICudaDevice? Device, string? Why) Of(OpCall call)
    {
        foreach (var (name, tensor) in call.Inputs)
        {
            if (tensor.device_type == DeviceType.CUDA || _inUse is not null)
                continue;
            var why = $"'{name}' is on {tensor.device}; the cuda backend needs it on a CUDA device";
            return (null, WhyNone() is { } none ? $"{why}, and {none}" : why);
        }
        var onCard = call.Inputs.Values.FirstOrDefault(t => t.device_type == DeviceType.CUDA);
        if (onCard is null)
            return (_inUse, null);
        return CudaCard.WhyNone(onCard.device_index) is { } reason ? (null, reason) : (CudaCard.Open(onCard.device_index), null);
    }

    private sealed class Scope(ICudaDevice? before) : IDisposable
    {
        private bool _done;

        public void Dispose()
        {
            lock (Gate)
            {
                if (!_done)
                    _inUse = before;
                _done = true;
            }
        }
    }
}
