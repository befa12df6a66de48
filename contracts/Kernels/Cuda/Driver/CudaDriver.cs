using System.Runtime.InteropServices;

namespace Zoo.Kernels.Cuda;

/// <summary>NVIDIA's driver library, as far as Zoo uses it. Names and numbers are those of its documentation ("CUDA Driver API").</summary>
internal sealed unsafe class CudaDriver
{
    public const int ComputeCapabilityMajor = 75, ComputeCapabilityMinor = 76, MultiprocessorCount = 16, MaxSharedMemoryPerBlockOptin = 97, MemoryPoolsSupported = 115;
    public const int MaxDynamicSharedSizeBytes = 8, SharedSizeBytes = 1;
    public const int PoolReleaseThreshold = 4;
    public const int ErrorOutOfMemory = 2, ErrorNotFound = 500;

    private static readonly Lazy<(CudaDriver? Driver, string? Why)> Loaded = new(Load);

    public readonly delegate* unmanaged[Cdecl]<int*, int, int> DeviceGet;
    public readonly delegate* unmanaged[Cdecl]<int*, int> DeviceGetCount;
    public readonly delegate* unmanaged[Cdecl]<byte*, int, int, int> DeviceGetName;
    public readonly delegate* unmanaged[Cdecl]<int*, int, int, int> DeviceGetAttribute;
    public readonly delegate* unmanaged[Cdecl]<nint*, int, int> PrimaryContextRetain;
    public readonly delegate* unmanaged[Cdecl]<nint*, int> ContextGetCurrent;
    public readonly delegate* unmanaged[Cdecl]<nint, int> ContextPush;
    public readonly delegate* unmanaged[Cdecl]<nint*, int> ContextPop;
    public readonly delegate* unmanaged[Cdecl]<nint*, byte*, int> ModuleLoadData;
    public readonly delegate* unmanaged[Cdecl]<nint*, nint, byte*, int> ModuleGetFunction;
    public readonly delegate* unmanaged[Cdecl]<nint, int, int, int> FunctionSetAttribute;
    public readonly delegate* unmanaged[Cdecl]<int*, int, nint, int> FunctionGetAttribute;
    public readonly delegate* unmanaged[Cdecl]<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int> LaunchKernel;
    public readonly delegate* unmanaged[Cdecl]<nint*, nint, int> Allocate;
    public readonly delegate* unmanaged[Cdecl]<nint, int> Free;
    public readonly delegate* unmanaged[Cdecl]<nint*, nint, nint, int> AllocateAsync;
    public readonly delegate* unmanaged[Cdecl]<nint, nint, int> FreeAsync;
    public readonly delegate* unmanaged[Cdecl]<nint*, int, int> DefaultPool;
    public readonly delegate* unmanaged[Cdecl]<nint, int, void*, int> PoolSetAttribute;
    public readonly delegate* unmanaged[Cdecl]<nint, byte, nint, nint, int> Fill;
    public readonly delegate* unmanaged[Cdecl]<nint, nint, nint, nint, int> CopyIn;
    public readonly delegate* unmanaged[Cdecl]<nint, nint, nint, int> CopyOut;
    public readonly delegate* unmanaged[Cdecl]<nint, int> StreamSynchronize;
    public readonly delegate* unmanaged[Cdecl]<nint*, uint, int> EventCreate;
    public readonly delegate* unmanaged[Cdecl]<nint, nint, int> EventRecord;
    public readonly delegate* unmanaged[Cdecl]<nint, int> EventSynchronize;
    public readonly delegate* unmanaged[Cdecl]<float*, nint, nint, int> EventElapsed;
    public readonly delegate* unmanaged[Cdecl]<nint, int> EventDestroy;
    private readonly delegate* unmanaged[Cdecl]<uint, int> _initialise;
    private readonly delegate* unmanaged[Cdecl]<int*, int> _version;
    private readonly delegate* unmanaged[Cdecl]<int, byte**, int> _errorName;
    private readonly delegate* unmanaged[Cdecl]<int, byte**, int> _errorText;
    private readonly delegate* unmanaged[Cdecl]<nint, nint, nint*, nint*, int> _parameterInfo;

    /// <summary>Finds every function.</summary>
    /// <exception cref="EntryPointNotFoundException">One is missing.</exception>
    internal CudaDriver(nint library)
    {
        nint Find(string name) => NativeLibrary.GetExport(library, name);
        _initialise = (delegate* unmanaged[Cdecl]<uint, int>)Find("cuInit");
        _version = (delegate* unmanaged[Cdecl]<int*, int>)Find("cuDriverGetVersion");
        _errorName = (delegate* unmanaged[Cdecl]<int, byte**, int>)Find("cuGetErrorName");
        _errorText = (delegate* unmanaged[Cdecl]<int, byte**, int>)Find("cuGetErrorString");
        DeviceGet = (delegate* unmanaged[Cdecl]<int*, int, int>)Find("cuDeviceGet");
        DeviceGetCount = (delegate* unmanaged[Cdecl]<int*, int>)Find("cuDeviceGetCount");
        DeviceGetName = (delegate* unmanaged[Cdecl]<byte*, int, int, int>)Find("cuDeviceGetName");
        DeviceGetAttribute = (delegate* unmanaged[Cdecl]<int*, int, int, int>)Find("cuDeviceGetAttribute");
        PrimaryContextRetain = (delegate* unmanaged[Cdecl]<nint*, int, int>)Find("cuDevicePrimaryCtxRetain");
        ContextGetCurrent = (delegate* unmanaged[Cdecl]<nint*, int>)Find("cuCtxGetCurrent");
        ContextPush = (delegate* unmanaged[Cdecl]<nint, int>)Find("cuCtxPushCurrent_v2");
        ContextPop = (delegate* unmanaged[Cdecl]<nint*, int>)Find("cuCtxPopCurrent_v2");
        ModuleLoadData = (delegate* unmanaged[Cdecl]<nint*, byte*, int>)Find("cuModuleLoadData");
        ModuleGetFunction = (delegate* unmanaged[Cdecl]<nint*, nint, byte*, int>)Find("cuModuleGetFunction");
        FunctionSetAttribute = (delegate* unmanaged[Cdecl]<nint, int, int, int>)Find("cuFuncSetAttribute");
        FunctionGetAttribute = (delegate* unmanaged[Cdecl]<int*, int, nint, int>)Find("cuFuncGetAttribute");
        LaunchKernel = (delegate* unmanaged[Cdecl]<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)Find("cuLaunchKernel");
        Allocate = (delegate* unmanaged[Cdecl]<nint*, nint, int>)Find("cuMemAlloc_v2");
        Free = (delegate* unmanaged[Cdecl]<nint, int>)Find("cuMemFree_v2");
        AllocateAsync = (delegate* unmanaged[Cdecl]<nint*, nint, nint, int>)Find("cuMemAllocAsync");
        FreeAsync = (delegate* unmanaged[Cdecl]<nint, nint, int>)Find("cuMemFreeAsync");
        DefaultPool = (delegate* unmanaged[Cdecl]<nint*, int, int>)Find("cuDeviceGetDefaultMemPool");
        PoolSetAttribute = (delegate* unmanaged[Cdecl]<nint, int, void*, int>)Find("cuMemPoolSetAttribute");
        Fill = (delegate* unmanaged[Cdecl]<nint, byte, nint, nint, int>)Find("cuMemsetD8Async");
        CopyIn = (delegate* unmanaged[Cdecl]<nint, nint, nint, nint, int>)Find("cuMemcpyHtoDAsync_v2");
        CopyOut = (delegate* unmanaged[Cdecl]<nint, nint, nint, int>)Find("cuMemcpyDtoH_v2");
        StreamSynchronize = (delegate* unmanaged[Cdecl]<nint, int>)Find("cuStreamSynchronize");
        EventCreate = (delegate* unmanaged[Cdecl]<nint*, uint, int>)Find("cuEventCreate");
        EventRecord = (delegate* unmanaged[Cdecl]<nint, nint, int>)Find("cuEventRecord");
        EventSynchronize = (delegate* unmanaged[Cdecl]<nint, int>)Find("cuEventSynchronize");
        EventElapsed = (delegate* unmanaged[Cdecl]<float*, nint, nint, int>)Find("cuEventElapsedTime");
        EventDestroy = (delegate* unmanaged[Cdecl]<nint, int>)Find("cuEventDestroy_v2");
        // Since CUDA 12.4; without it, launches are not compared with the kernel's parameters.
        if (NativeLibrary.TryGetExport(library, "cuFuncGetParamInfo", out var parameterInfo))
            _parameterInfo = (delegate* unmanaged[Cdecl]<nint, nint, nint*, nint*, int>)parameterInfo;
    }

    /// <summary>The library's name on this system.</summary>
    public static string LibraryName => OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";

    /// <summary>The driver, started; or why it is not there, in words for the user.</summary>
    public static (CudaDriver? Driver, string? Why) Get() => Loaded.Value;

    /// <summary>Starts a driver that was loaded from somewhere.</summary>
    /// <returns>Why it does not start; null when it does.</returns>
    internal string? Start() => _initialise(0) is not 0 and var error ? $"NVIDIA's driver does not start: {Words(error)}" : null;

    /// <summary>The CUDA version that it is for.</summary>
    public Version Version
    {
        get
        {
            int version;
            return _version(&version) == 0 ? new Version(version / 1000, version % 1000 / 10) : new Version();
        }
    }

    /// <summary>An error in the driver's own words: "CUDA_ERROR_INVALID_VALUE, invalid argument".</summary>
    public string Words(int error)
    {
        byte* name = null, text = null;
        return _errorName(error, &name) != 0 || name == null ? $"error {error}"
            : _errorText(error, &text) != 0 || text == null ? Text(name)
            : $"{Text(name)}, {Text(text)}";

        static string Text(byte* s) => Marshal.PtrToStringUTF8((nint)s)!;
    }

    /// <summary>Sizes of a kernel's parameters in bytes; null where the driver does not say.</summary>
    public List<int>? ParameterBytes(nint function)
    {
        if (_parameterInfo == null)
            return null;
        var sizes = new List<int>();
        nint offset, size;
        while (_parameterInfo(function, sizes.Count, &offset, &size) == 0)
            sizes.Add((int)size);
        return sizes;
    }

    private static (CudaDriver?, string?) Load()
    {
        if (!NativeLibrary.TryLoad(LibraryName, out var library))
            return (null, $"there is no NVIDIA driver here: {LibraryName} was not found");
        try
        {
            var driver = new CudaDriver(library);
            return driver.Start() is { } why ? (null, why) : (driver, null);
        }
        catch (EntryPointNotFoundException e)
        {
            return (null, $"NVIDIA's driver here is too old for Zoo, which needs that of CUDA 11.2 or later: {e.Message}");
        }
    }
}
