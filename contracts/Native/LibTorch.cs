using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Zoo.Native;

/// <summary>
/// Loads libtorch and TorchSharp's native library, once a process and before TorchSharp looks for them itself.
/// </summary>
/// <remarks>
/// TorchSharp's own search copies half a gigabyte beside every program, takes whatever libtorch the system's loader finds first, and
/// fails for good when its library was built for a newer C++ runtime than the system has. A library that is already loaded under its
/// name is used as it is, so loading by absolute path in the right order avoids all three.
/// </remarks>
public static class LibTorch
{
    /// <summary>Environment variable that names another folder with libtorch, one from a Python installation included.</summary>
    public const string DirectoryVariable = "ZOO_LIBTORCH";

    private const string MissingSymbolVersion = "GLIBCXX_3.4.32";
    private static readonly Lock Gate = new();
    private static LibTorchReport? _report;

    /// <summary>Loads the libraries; later calls return the first one's report.</summary>
    /// <returns>Where they came from.</returns>
    /// <exception cref="DllNotFoundException">A library is missing or does not load; the message says where it was sought.</exception>
    public static LibTorchReport Load()
    {
        lock (Gate)
            return _report ??= LoadOnce();
    }

    /// <summary>The report of <see cref="Load"/>, or null when libtorch has not been loaded in this process.</summary>
    public static LibTorchReport? Loaded => _report;

    /// <summary>The libtorch version that TorchSharp was built for.</summary>
    public static string ExpectedVersion { get; } = ContractMetadata("Zoo.LibTorchVersion");

    /// <summary>The TorchSharp version that the contract was built with.</summary>
    public static string TorchSharpVersion { get; } = ContractMetadata("Zoo.TorchSharpVersion");

    /// <summary>Finds the folders without loading anything.</summary>
    /// <exception cref="DllNotFoundException">One of them is missing.</exception>
    public static (string LibTorchDirectory, string LibTorchSharpPath) Find()
    {
        var directories = LibTorchDirectories().Distinct().ToList();
        var named = Environment.GetEnvironmentVariable(DirectoryVariable);
        var main = LibraryFile("torch_cpu");
        if (!string.IsNullOrEmpty(named) && !File.Exists(Path.Combine(named, main)))
            throw new DllNotFoundException($"{DirectoryVariable} is '{named}', and there is no {main} in it. " +
                $"Point it at a folder with libtorch {ExpectedVersion}, or unset it.");
        var directory = directories.Find(d => File.Exists(Path.Combine(d, main)))
            ?? throw new DllNotFoundException($"libtorch {ExpectedVersion} was not found: no {main} in {string.Join(", ", directories)}. " +
                $"Set {DirectoryVariable} to a folder that has it, or publish the program with -p:ZooBundleLibTorch=true.");

        var sharp = LibraryFile("LibTorchSharp");
        var candidates = LibTorchSharpDirectories().Distinct().Select(d => Path.Combine(d, sharp)).ToList();
        var sharpPath = candidates.Find(File.Exists)
            ?? throw new DllNotFoundException($"TorchSharp's native library was not found at {string.Join(", ", candidates)}.");
        return (directory, sharpPath);
    }

    private static LibTorchReport LoadOnce()
    {
        KeepOpenMpFromSpinning();
        HeapSettings.KeepFreedMemory();
        var (directory, sharpPath) = Find();
        foreach (var name in (string[])["c10", "torch_cpu", "c10_cuda", "torch_cuda", "torch"])
        {
            var path = Path.Combine(directory, LibraryFile(name));
            if (File.Exists(path))
                LoadLibrary(path, $"libtorch from {directory}");
        }

        var patched = false;
        if (!NativeLibrary.TryLoad(sharpPath, out _))
        {
            if (OperatingSystem.IsLinux())
            {
                sharpPath = PatchedCopy(sharpPath);
                patched = true;
            }
            LoadLibrary(sharpPath, $"TorchSharp's native library against libtorch in {directory}");
        }
        return new LibTorchReport(directory, sharpPath, patched, File.Exists(Path.Combine(directory, LibraryFile("torch_cuda"))));
    }

    private static void LoadLibrary(string path, string what)
    {
        try
        {
            NativeLibrary.Load(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            throw new DllNotFoundException($"Could not load {what}: {e.Message.Trim()}. `zoo doctor` describes the environment.", e);
        }
    }

    private static IEnumerable<string> LibTorchDirectories()
    {
        if (Environment.GetEnvironmentVariable(DirectoryVariable) is { Length: > 0 } named)
            yield return Path.GetFullPath(named);
        yield return Path.Combine(AppContext.BaseDirectory, "native");
        yield return AppContext.BaseDirectory;
        yield return Path.Combine(AppContext.BaseDirectory, "runtimes", Platform, "native");
        if (AppContext.GetData("Zoo.LibTorchDirectory") is string recorded)
            yield return Path.GetFullPath(recorded);
        yield return Path.Combine(PackageCache, $"libtorch-cpu-{Platform}", ExpectedVersion, "runtimes", Platform, "native");
    }

    private static IEnumerable<string> LibTorchSharpDirectories()
    {
        yield return Path.Combine(AppContext.BaseDirectory, "native");
        yield return AppContext.BaseDirectory;
        yield return Path.Combine(AppContext.BaseDirectory, "runtimes", Platform, "native");
        if (AppContext.GetData("Zoo.LibTorchSharpDirectory") is string recorded)
            yield return Path.GetFullPath(recorded);
        yield return Path.Combine(PackageCache, "torchsharp", TorchSharpVersion, "runtimes", Platform, "native");
    }

    private static string Platform =>
        OperatingSystem.IsWindows() ? "win-x64" : OperatingSystem.IsMacOS() ? "osx-arm64" : "linux-x64";

    private static string PackageCache => Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } named
        ? named
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    private static string LibraryFile(string name) =>
        OperatingSystem.IsWindows() ? $"{name}.dll" : OperatingSystem.IsMacOS() ? $"lib{name}.dylib" : $"lib{name}.so";

    /// <summary>
    /// A copy of TorchSharp's library whose one need for a newer C++ runtime is marked weak, in the user's private cache.
    /// </summary>
    /// <remarks>The only symbol of that version is a marker that nothing refers to, so the version check is all that fails.</remarks>
    private static string PatchedCopy(string sharpPath)
    {
        var image = File.ReadAllBytes(sharpPath);
        var name = Convert.ToHexString(SHA256.HashData(image))[..16].ToLowerInvariant() + "-libLibTorchSharp.so";
        if (!ElfVersionNeeds.Weaken(image, MissingSymbolVersion))
            throw new DllNotFoundException($"Could not load {sharpPath}, and its trouble is not the known need for {MissingSymbolVersion}.");
        var folder = UserCache.Folder("native");
        var target = Path.Combine(folder, name);
        if (!File.Exists(target) || !File.ReadAllBytes(target).AsSpan().SequenceEqual(image))
            Files.AtomicFile.Write(target, image);
        return target;
    }

    /// <summary>Waiting OpenMP threads that spin can make two threads a hundred times slower on a busy machine.</summary>
    private static void KeepOpenMpFromSpinning()
    {
        const string name = "OMP_WAIT_POLICY";
        if (Environment.GetEnvironmentVariable(name) is not null)
            return;
        Environment.SetEnvironmentVariable(name, "passive");
        if (!OperatingSystem.IsWindows())
            SetNativeVariable(name, "passive", 0);   // .NET keeps its own copy of the environment; libgomp reads the process's
    }

    [DllImport("libc", EntryPoint = "setenv")]
    private static extern int SetNativeVariable(
        [MarshalAs(UnmanagedType.LPUTF8Str)] string name, [MarshalAs(UnmanagedType.LPUTF8Str)] string value, int overwrite);

    private static string ContractMetadata(string key) =>
        typeof(LibTorch).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == key).Value ?? "";
}
