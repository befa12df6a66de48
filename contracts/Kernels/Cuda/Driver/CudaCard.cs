using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;

namespace Zoo.Kernels.Cuda;

/// <summary>A card, through NVIDIA's driver: its primary context, which libtorch uses as well, and the default stream, on which libtorch works.</summary>
internal sealed unsafe class CudaCard : ICudaDevice
{
    /// <summary>Set to 1, every launch is waited for, so that an error is that of the launch that it names.</summary>
    public const string SynchronousVariable = "ZOO_CUDA_SYNC";

    private const nint DefaultStream = 0;

    /// <summary>As much as large calls take: what is given back to the system and asked for again costs milliseconds a call.</summary>
    private const long KeptScratchBytes = 1L << 30;

    private static readonly ConcurrentDictionary<int, Lazy<CudaCard>> Cards = new();
    private static readonly bool Synchronous = Environment.GetEnvironmentVariable(SynchronousVariable) == "1";

    private readonly CudaDriver _driver;
    private readonly nint _context;
    private readonly bool _hasPools;
    private readonly Func<CudaSource, int, string, byte[]> _compile;
    private readonly Func<string?> _whyNoCompiler;
    private readonly ConcurrentDictionary<CudaSource, Lazy<nint>> _modules = new();
    private readonly ConcurrentDictionary<(CudaSource, string), Lazy<Function>> _functions = new();

    /// <param name="driver">Started.</param>
    /// <param name="index">Which card.</param>
    /// <param name="compile">From source, architecture and caller to what the driver loads.</param>
    /// <param name="whyNoCompiler">Why that cannot be done; null when it can.</param>
    internal CudaCard(CudaDriver driver, int index, Func<CudaSource, int, string, byte[]> compile, Func<string?> whyNoCompiler)
    {
        (_driver, _compile, _whyNoCompiler) = (driver, compile, whyNoCompiler);
        int found;
        Require(driver.DeviceGet(&found, index), $"There is no card {index}");
        var device = found;
        const int length = 256;
        var name = stackalloc byte[length];
        Name = driver.DeviceGetName(name, length, device) == 0 ? Marshal.PtrToStringUTF8((nint)name)! : $"card {index}";
        Architecture = 10 * Attribute(CudaDriver.ComputeCapabilityMajor) + Attribute(CudaDriver.ComputeCapabilityMinor);
        MultiprocessorCount = Attribute(CudaDriver.MultiprocessorCount);
        SharedBytesPerBlock = Attribute(CudaDriver.MaxSharedMemoryPerBlockOptin);
        _hasPools = Attribute(CudaDriver.MemoryPoolsSupported) != 0;
        nint context;
        Require(driver.PrimaryContextRetain(&context, device), $"{Name} cannot be used");
        _context = context;
        if (_hasPools)
            KeepScratch(device);

        int Attribute(int which)
        {
            int value;
            Require(driver.DeviceGetAttribute(&value, which, device), $"{Name} does not say what it can do");
            return value;
        }
    }

    public string Name { get; }

    public int Architecture { get; }

    public int MultiprocessorCount { get; }

    public int SharedBytesPerBlock { get; }

    public string? WhyNoCompiler => _whyNoCompiler();

    /// <summary>The card of that index.</summary>
    /// <exception cref="EnvironmentException">There is none; the message says why.</exception>
    public static CudaCard Open(int index)
    {
        if (WhyNone(index) is { } why)
            throw new EnvironmentException($"{char.ToUpperInvariant(why[0])}{why[1..]}. `zoo doctor` says more.");
        return Cards.GetOrAdd(index, i => new Lazy<CudaCard>(() => New(i))).Value;
    }

    private static CudaCard New(int index) => new(
        CudaDriver.Get().Driver!, index, (source, architecture, caller) => CudaCompiler.Shared.Compile(source, architecture, caller), () => CudaCompiler.Shared.WhyNone);

    /// <summary>Why there is no card of that index; null when there is.</summary>
    public static string? WhyNone(int index)
    {
        var (driver, why) = CudaDriver.Get();
        if (driver is null)
            return why;
        int count;
        return driver.DeviceGetCount(&count) != 0 || count == 0 ? "NVIDIA's driver is here and finds no card that it can use"
            : index >= count ? $"there {(count == 1 ? "is one card" : $"are {count} cards")} here, counted from 0, and none is number {index}"
            : null;
    }

    public void Launch(CudaLaunch launch)
    {
        using var current = Enter();
        var function = FunctionOf(launch);
        function.Check(launch);
        if (launch.SharedBytes > function.DynamicSharedBytes)
            GrowSharedMemory(function, launch);
        var values = stackalloc long[launch.Arguments.Count];
        var addresses = stackalloc void*[launch.Arguments.Count];
        for (var i = 0; i < launch.Arguments.Count; i++)
        {
            values[i] = launch.Arguments[i].Bits;
            addresses[i] = values + i;
        }
        var (grid, block) = (launch.Grid, launch.Block);
        Require(
            _driver.LaunchKernel(
                function.Handle, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)block.X, (uint)block.Y, (uint)block.Z,
                (uint)launch.SharedBytes, DefaultStream, addresses, null),
            launch);
        if (Synchronous)
            Require(_driver.StreamSynchronize(DefaultStream), launch);
    }

    public nint Allocate(long bytes)
    {
        using var current = Enter();
        nint memory;
        var size = (nint)Math.Max(1, bytes);   // no memory at all has no address
        var error = _hasPools ? _driver.AllocateAsync(&memory, size, DefaultStream) : _driver.Allocate(&memory, size);
        Require(error, error == CudaDriver.ErrorOutOfMemory ? $"{Name} has not {bytes:N0} bytes of memory left" : $"{Name} gives no memory");
        return memory;
    }

    public void Free(nint memory)
    {
        using var current = Enter();
        Require(_hasPools ? _driver.FreeAsync(memory, DefaultStream) : _driver.Free(memory), $"{Name} does not take memory back");
    }

    public void Fill(nint memory, byte value, long bytes)
    {
        if (bytes == 0)
            return;
        using var current = Enter();
        Require(_driver.Fill(memory, value, (nint)bytes, DefaultStream), $"{Name} does not fill {bytes:N0} bytes");
    }

    public void CopyIn(nint memory, nint host, long bytes)
    {
        using var current = Enter();
        Require(_driver.CopyIn(memory, host, (nint)bytes, DefaultStream), $"{bytes:N0} bytes do not go to {Name}");
    }

    public void CopyOut(nint memory, nint host, long bytes)
    {
        using var current = Enter();
        Require(_driver.CopyOut(host, memory, (nint)bytes), $"{bytes:N0} bytes do not come from {Name}");
    }

    public void Synchronize()
    {
        using var current = Enter();
        Require(_driver.StreamSynchronize(DefaultStream), $"A kernel failed on {Name}");
    }

    public double Time(Action work)
    {
        using var current = Enter();
        nint start = 0, end = 0;
        try
        {
            Require(_driver.EventCreate(&start, 0), "No time can be taken");
            Require(_driver.EventCreate(&end, 0), "No time can be taken");
            Require(_driver.EventRecord(start, DefaultStream), "No time can be taken");
            work();
            Require(_driver.EventRecord(end, DefaultStream), "No time can be taken");
            Require(_driver.EventSynchronize(end), $"A kernel failed on {Name}");
            float milliseconds;
            Require(_driver.EventElapsed(&milliseconds, start, end), "No time can be taken");
            return milliseconds;
        }
        finally
        {
            if (start != 0)
                _driver.EventDestroy(start);
            if (end != 0)
                _driver.EventDestroy(end);
        }
    }

    /// <summary>Freed scratch memory stays in the driver's pool up to a limit: otherwise every wait for the card gives it back to the system.</summary>
    private void KeepScratch(int device)
    {
        nint pool;
        var threshold = KeptScratchBytes;
        if (_driver.DefaultPool(&pool, device) == 0)
            _driver.PoolSetAttribute(pool, CudaDriver.PoolReleaseThreshold, &threshold);
    }

    /// <summary>More than 48 KiB of shared memory must be asked for.</summary>
    private void GrowSharedMemory(Function function, CudaLaunch launch)
    {
        Require(_driver.FunctionSetAttribute(function.Handle, CudaDriver.MaxDynamicSharedSizeBytes, launch.SharedBytes), launch);
        function.DynamicSharedBytes = launch.SharedBytes;
    }

    private Function FunctionOf(CudaLaunch launch) => _functions.GetOrAdd((launch.Source, launch.Kernel), key => new Lazy<Function>(() =>
    {
        var module = _modules.GetOrAdd(key.Item1, source => new Lazy<nint>(() => LoadModule(source, $"{launch.Caller}"))).Value;
        nint handle;
        int error;
        fixed (byte* name = Encoding.UTF8.GetBytes(key.Item2 + "\0"))
            error = _driver.ModuleGetFunction(&handle, module, name);
        if (error == CudaDriver.ErrorNotFound)
            throw new UserException($"{launch.Caller}: {key.Item1} has no kernel '{key.Item2}'; is it extern \"C\" __global__?");
        Require(error, $"{launch.Caller}: the kernel '{key.Item2}' of {key.Item1} cannot be used");
        int staticBytes;
        Require(_driver.FunctionGetAttribute(&staticBytes, CudaDriver.SharedSizeBytes, handle), $"{launch.Caller}: '{key.Item2}' does not say what it needs");
        return new Function(handle, staticBytes, _driver.ParameterBytes(handle));
    })).Value;

    private nint LoadModule(CudaSource source, string caller)
    {
        var image = _compile(source, Architecture, caller);
        nint module;
        int error;
        fixed (byte* bytes = image)
            error = _driver.ModuleLoadData(&module, bytes);
        Require(error, $"{caller}: {Name} does not take the compiled {source}");
        return module;
    }

    private void Require(int error, CudaLaunch launch)
    {
        if (error == 0)
            return;
        var blame = Synchronous ? "" : $" The fault may lie in an earlier launch: with {SynchronousVariable}=1 the sentence names the one that failed.";
        throw new EnvironmentException($"{launch.Caller}: the kernel '{launch.Kernel}' failed on {Name}: {_driver.Words(error)}. " +
            $"Its grid was {launch.Grid}, its block {launch.Block}, with {launch.SharedBytes} bytes of shared memory.{blame}");
    }

    private void Require(int error, string what)
    {
        if (error != 0)
            throw new EnvironmentException($"{what}: {_driver.Words(error)}.");
    }

    private Current Enter() => new(_driver, _context);

    /// <summary>Makes the card's context the thread's own for a while, and leaves things as they were.</summary>
    private readonly ref struct Current
    {
        private readonly CudaDriver? _entered;

        public Current(CudaDriver driver, nint context)
        {
            nint before;
            if (driver.ContextGetCurrent(&before) == 0 && before == context)
                return;
            if (driver.ContextPush(context) is not 0 and var error)
                throw new EnvironmentException($"The card cannot be used from this thread: {driver.Words(error)}.");
            _entered = driver;
        }

        public void Dispose()
        {
            nint context;
            if (_entered is not null)
                _entered.ContextPop(&context);
        }
    }

    private sealed class Function(nint handle, int staticBytes, List<int>? parameterBytes)
    {
        public nint Handle => handle;

        /// <summary>What may be asked for without more ado, and what has been asked for.</summary>
        public int DynamicSharedBytes { get; set; } = (48 << 10) - staticBytes;

        /// <exception cref="ArgumentException">The launch passes other arguments than the kernel has parameters.</exception>
        public void Check(CudaLaunch launch)
        {
            if (parameterBytes is null || parameterBytes.SequenceEqual(launch.Arguments.Select(a => a.Bytes)))
                return;
            throw new ArgumentException($"{launch.Caller}: '{launch.Kernel}' has parameters of {string.Join(", ", parameterBytes)} bytes " +
                $"and was given {string.Join(", ", launch.Arguments.Select(a => a.Bytes))}.");
        }
    }
}
