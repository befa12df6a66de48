namespace Zoo.Kernels.Cuda;

/// <summary>Compiles .cu files for a card, with NVRTC, and keeps what it compiled on disk.</summary>
public sealed class CudaCompiler
{
    /// <summary>Environment variable that names NVRTC's file or folder.</summary>
    public const string Variable = "ZOO_NVRTC";

    private const int Hopper = 90;
    private const int KnowsHopper = 12;     // the first version with sm_90a

    private static readonly Lazy<CudaCompiler> SharedCompiler = new(() => new CudaCompiler(Environment.GetEnvironmentVariable(Variable)));

    private readonly NvrtcLibrary? _library;

    internal CudaCompiler(string? named) => (_library, WhyNone) = NvrtcLibrary.Load(named);

    /// <summary>The compiler of this process.</summary>
    public static CudaCompiler Shared => SharedCompiler.Value;

    /// <summary>Why there is none, in words for the user; null when there is.</summary>
    public string? WhyNone { get; }

    /// <summary>"NVRTC 12.4", and the file it was loaded from.</summary>
    public string Description => _library is null ? "no NVRTC" : $"NVRTC {_library.Version}, from {_library.Path}";

    /// <summary>Where compiled kernels are kept, how many there are, and their bytes. Creates the folder.</summary>
    /// <exception cref="EnvironmentException">The folder is not the user's own, or cannot be read.</exception>
    public static (string Folder, int Count, long Bytes) Cache() => CubinCache.Describe();

    /// <summary>Machine code for a kind of card: "sm_80", "sm_90a".</summary>
    /// <exception cref="UserException">It does not compile; the message has the compiler's own words, with file and line.</exception>
    /// <exception cref="EnvironmentException">NVRTC is not here.</exception>
    public byte[] Compile(CudaSource source, string target) => Compile(source, target, toPtx: false, source.ToString()).Image;

    /// <summary>As <see cref="Compile(CudaSource, string)"/>, with what the assembler says of each kernel: registers, shared memory, what it spills.</summary>
    /// <exception cref="UserException">It does not compile.</exception>
    /// <exception cref="EnvironmentException">NVRTC is not here.</exception>
    public (byte[] Image, string Resources) CompileAndReport(CudaSource source, string target) =>
        Compile(source, target, toPtx: false, source.ToString(), "--ptxas-options=-v");

    /// <summary>
    /// Machine code for a card; for one that is newer than the compiler, portable assembly, which the driver translates. From the cache where it
    /// has been compiled before.
    /// </summary>
    internal byte[] Compile(CudaSource source, int architecture, string caller)
    {
        var library = Library();
        if (library.Architectures.Contains(architecture))
            return Cached(Target(architecture, library.Version), toPtx: false);
        var older = library.Architectures.Where(a => a < architecture).DefaultIfEmpty().Max();
        return older == 0
            ? throw new EnvironmentException($"{caller}: NVRTC {library.Version} does not compile for sm_{architecture}. Install a newer one, or set {Variable}.")
            : Cached($"compute_{older}", toPtx: true);

        byte[] Cached(string target, bool toPtx)
        {
            var key = CubinCache.Key(source, [$"NVRTC {library.Version}", toPtx ? "ptx" : "cubin", .. Options(target)]);
            if (CubinCache.Find(key) is { } known)
                return known;
            var (image, _) = Compile(source, target, toPtx, caller);
            CubinCache.Keep(key, image);
            return image;
        }
    }

    /// <summary>Machine code is for one kind of card anyway: of Hopper, with the instructions that later cards do not have.</summary>
    private static string Target(int architecture, Version compiler) => architecture == Hopper && compiler.Major >= KnowsHopper ? "sm_90a" : $"sm_{architecture}";

    private static string[] Options(string target) => [$"--gpu-architecture={target}", "--std=c++17", "-default-device"];

    private (byte[] Image, string Log) Compile(CudaSource source, string target, bool toPtx, string caller, params string[] further)
    {
        var library = Library();
        var (image, log) = library.Compile(source, [.. Options(target), .. further], toPtx);
        var who = caller == source.ToString() ? caller : $"{caller}: {source}";
        return (image ?? throw new UserException($"{who} does not compile for {target} with NVRTC {library.Version}:\n{log}"), log);
    }

    private NvrtcLibrary Library() => _library ?? throw new EnvironmentException($"{char.ToUpperInvariant(WhyNone![0])}{WhyNone[1..]}.");
}
