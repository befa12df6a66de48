using System.Runtime.InteropServices;
using System.Text;
using Zoo.Native;

namespace Zoo.Kernels.Cuda;

/// <summary>NVRTC, NVIDIA's compiler of CUDA C++ at run time: where it is found, and its functions.</summary>
internal sealed unsafe class NvrtcLibrary
{
    private readonly delegate* unmanaged[Cdecl]<nint*, byte*, byte*, int, byte**, byte**, int> _create;
    private readonly delegate* unmanaged[Cdecl]<nint*, int> _destroy;
    private readonly delegate* unmanaged[Cdecl]<nint, int, byte**, int> _compile;
    private readonly delegate* unmanaged[Cdecl]<nint, nint*, int> _logSize;
    private readonly delegate* unmanaged[Cdecl]<nint, byte*, int> _log;
    private readonly delegate* unmanaged[Cdecl]<nint, nint*, int> _cubinSize;
    private readonly delegate* unmanaged[Cdecl]<nint, byte*, int> _cubin;
    private readonly delegate* unmanaged[Cdecl]<nint, nint*, int> _ptxSize;
    private readonly delegate* unmanaged[Cdecl]<nint, byte*, int> _ptx;
    private readonly delegate* unmanaged[Cdecl]<int, byte*> _words;

    private NvrtcLibrary(nint library, string path)
    {
        nint Find(string name) => NativeLibrary.GetExport(library, name);
        Path = path;
        _create = (delegate* unmanaged[Cdecl]<nint*, byte*, byte*, int, byte**, byte**, int>)Find("nvrtcCreateProgram");
        _destroy = (delegate* unmanaged[Cdecl]<nint*, int>)Find("nvrtcDestroyProgram");
        _compile = (delegate* unmanaged[Cdecl]<nint, int, byte**, int>)Find("nvrtcCompileProgram");
        _logSize = (delegate* unmanaged[Cdecl]<nint, nint*, int>)Find("nvrtcGetProgramLogSize");
        _log = (delegate* unmanaged[Cdecl]<nint, byte*, int>)Find("nvrtcGetProgramLog");
        _cubinSize = (delegate* unmanaged[Cdecl]<nint, nint*, int>)Find("nvrtcGetCUBINSize");
        _cubin = (delegate* unmanaged[Cdecl]<nint, byte*, int>)Find("nvrtcGetCUBIN");
        _ptxSize = (delegate* unmanaged[Cdecl]<nint, nint*, int>)Find("nvrtcGetPTXSize");
        _ptx = (delegate* unmanaged[Cdecl]<nint, byte*, int>)Find("nvrtcGetPTX");
        _words = (delegate* unmanaged[Cdecl]<int, byte*>)Find("nvrtcGetErrorString");
        int major, minor, count;
        Version = ((delegate* unmanaged[Cdecl]<int*, int*, int>)Find("nvrtcVersion"))(&major, &minor) == 0 ? new Version(major, minor) : new Version();
        if (((delegate* unmanaged[Cdecl]<int*, int>)Find("nvrtcGetNumSupportedArchs"))(&count) != 0)
            count = 0;
        var architectures = new int[count];
        fixed (int* all = architectures)
            _ = ((delegate* unmanaged[Cdecl]<int*, int>)Find("nvrtcGetSupportedArchs"))(all);
        Architectures = architectures;
    }

    /// <summary>As it was loaded.</summary>
    public string Path { get; }

    /// <summary>Its version: 12.4.</summary>
    public Version Version { get; }

    /// <summary>What it compiles for: 80, 89, 90.</summary>
    public IReadOnlyList<int> Architectures { get; }

    /// <summary>The library; or why there is none, in words for the user.</summary>
    /// <param name="named">The user's own file or folder; null to look in the usual places.</param>
    public static (NvrtcLibrary? Library, string? Why) Load(string? named)
    {
        var candidates = (string.IsNullOrEmpty(named) ? UsualPlaces() : InPlace(named)).ToList();
        foreach (var candidate in candidates)
        {
            if (!TryLoad(candidate, out var library))
                continue;
            try
            {
                return (new NvrtcLibrary(library, candidate), null);
            }
            catch (EntryPointNotFoundException)
            {
                continue;   // something else of that name, or older than 11.2
            }
        }
        return (null, string.IsNullOrEmpty(named)
            ? $"NVRTC, which compiles kernels, was not found: there is no {string.Join(", ", Names)}; set {CudaCompiler.Variable} to its file or folder"
            : $"{CudaCompiler.Variable} is '{named}', and no NVRTC loads from there");
    }

    /// <summary>Compiles.</summary>
    /// <param name="source">What.</param>
    /// <param name="options">As NVRTC takes them.</param>
    /// <param name="toPtx">Portable assembly instead of machine code.</param>
    /// <returns>The image, or null; and what the compiler said.</returns>
    public (byte[]? Image, string Log) Compile(CudaSource source, IReadOnlyList<string> options, bool toPtx)
    {
        using var texts = new NativeTexts();
        var names = texts.Array(source.Headers.Keys);
        var headers = texts.Array(source.Headers.Values);
        nint program;
        var error = _create(&program, texts.Text(source.Text), texts.Text(source.Name), source.Headers.Count, headers, names);
        if (error != 0)
            return (null, Words(error));
        try
        {
            error = _compile(program, options.Count, texts.Array(options));
            var log = Log(program);
            if (error != 0)
                return (null, log.Length > 0 ? log : Words(error));
            nint size;
            if ((toPtx ? _ptxSize(program, &size) : _cubinSize(program, &size)) != 0)
                return (null, "NVRTC does not give what it compiled.");
            var image = new byte[size];
            fixed (byte* bytes = image)
                error = toPtx ? _ptx(program, bytes) : _cubin(program, bytes);
            return error == 0 ? (image, log) : (null, Words(error));
        }
        finally
        {
            _destroy(&program);
        }
    }

    private static IReadOnlyList<string> Names { get; } = OperatingSystem.IsWindows()
        ? ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll", "nvrtc64_112_0.dll"]
        : ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"];

    /// <summary>Beside libtorch and where a Python installation of it has NVIDIA's libraries; then what the system's loader finds.</summary>
    private static IEnumerable<string> UsualPlaces()
    {
        foreach (var folder in BesideLibTorch().Where(Directory.Exists).Distinct())
        {
            foreach (var file in InFolder(folder))
                yield return file;
        }
        foreach (var name in Names)
            yield return name;
    }

    private static IEnumerable<string> BesideLibTorch()
    {
        foreach (var torch in (string?[])[Environment.GetEnvironmentVariable(LibTorch.DirectoryVariable), LibTorch.Loaded?.Directory])
        {
            if (string.IsNullOrEmpty(torch))
                continue;
            yield return System.IO.Path.GetFullPath(torch);
            var packages = System.IO.Path.GetFullPath(System.IO.Path.Combine(torch, "..", ".."));   // site-packages, from torch/lib
            foreach (var part in (string[])["cuda_nvrtc", "cu13", "cu12"])
                yield return System.IO.Path.Combine(packages, "nvidia", part, "lib");
        }
    }

    private static IEnumerable<string> InPlace(string named) =>
        Directory.Exists(named) ? InFolder(System.IO.Path.GetFullPath(named)) : [System.IO.Path.GetFullPath(named)];

    /// <summary>The newest first. Python packages put a hash into the name.</summary>
    private static IEnumerable<string> InFolder(string folder) =>
        from name in Names
        let dot = name.IndexOf('.')
        from file in Directory.EnumerateFiles(folder, name[..dot] + "*" + name[dot..]).Order(StringComparer.Ordinal)
        where !file.Contains("builtins", StringComparison.Ordinal)
        select file;

    /// <summary>Outside the loader's path NVRTC does not find its other half by itself: that is loaded first.</summary>
    private static bool TryLoad(string candidate, out nint library)
    {
        if (System.IO.Path.IsPathRooted(candidate) && System.IO.Path.GetDirectoryName(candidate) is { } folder && Directory.Exists(folder))
        {
            foreach (var builtins in Directory.EnumerateFiles(folder, "*nvrtc-builtins*").Order(StringComparer.Ordinal))
                NativeLibrary.TryLoad(builtins, out _);
        }
        return NativeLibrary.TryLoad(candidate, out library);
    }

    private string Log(nint program)
    {
        nint size;
        if (_logSize(program, &size) != 0 || size <= 1)
            return "";
        var text = new byte[size];
        fixed (byte* bytes = text)
            _ = _log(program, bytes);
        return Encoding.UTF8.GetString(text).TrimEnd('\0', '\n');
    }

    private string Words(int error) => Marshal.PtrToStringUTF8((nint)_words(error)) ?? $"error {error}";

    /// <summary>Texts in native memory, for the length of a call.</summary>
    private sealed class NativeTexts : IDisposable
    {
        private readonly List<nint> _memory = [];

        public byte* Text(string text)
        {
            var memory = Marshal.StringToCoTaskMemUTF8(text);
            _memory.Add(memory);
            return (byte*)memory;
        }

        public byte** Array(IEnumerable<string> texts)
        {
            var all = texts.ToList();
            var memory = Marshal.AllocCoTaskMem(Math.Max(1, all.Count) * sizeof(nint));
            _memory.Add(memory);
            for (var i = 0; i < all.Count; i++)
                ((byte**)memory)[i] = Text(all[i]);
            return (byte**)memory;
        }

        public void Dispose()
        {
            foreach (var memory in _memory)
                Marshal.FreeCoTaskMem(memory);
        }
    }
}
