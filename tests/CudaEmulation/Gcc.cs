using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Zoo.Files;
using Zoo.Kernels.Cuda;
using Zoo.Native;

namespace Zoo.CudaEmulation;

/// <summary>Compiles a .cu file with g++ into a shared library whose kernels can be run one thread after another. Kept by the hash of all that goes in.</summary>
internal static partial class Gcc
{
    private const string Compiler = "g++";

    private static readonly string[] Flags =
    [
        "-O2", "-g1", "-std=c++17", "-fPIC", "-shared", "-fvisibility=hidden", "-w", "-fno-exceptions", "-fno-rtti", "-fno-strict-aliasing",
        // One access a load or store of the source: what is checked is what a card would do.
        "-fno-tree-vectorize", "-fno-store-merging", "-ffp-contract=off", "-fno-math-errno", "-ftrapping-math",
        // A call before each access, to functions of emulation.h; no run-time library of AddressSanitizer, no change to the stack.
        "-fsanitize=kernel-address", "--param", "asan-instrumentation-with-call-threshold=0", "--param", "asan-stack=0", "--param", "asan-globals=1",
        "-fsanitize=alignment,bounds,integer-divide-by-zero",
    ];

    private static readonly Lazy<(string? Version, string? Why)> Found = new(Find);

    /// <summary>Why nothing can be emulated here; null when it can.</summary>
    public static string? WhyNone => Found.Value.Why;

    /// <summary>The library for a source, compiled unless it is there already.</summary>
    /// <exception cref="UserException">It does not compile; the message has the compiler's words, with file and line.</exception>
    public static string Library(CudaSource source, int architecture)
    {
        if (WhyNone is { } why)
            throw new EnvironmentException($"{source} cannot be emulated: {why}.");
        var headers = typeof(Gcc).Assembly.GetManifestResourceNames().Where(n => n.EndsWith(".h", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal).ToDictionary(n => n, n => Read(typeof(Gcc).Assembly, n));
        string[] flags = [.. Flags, .. ProcessorFlags(), "-DZOO_EMULATION", $"-D__CUDA_ARCH__={architecture * 10}"];
        var parts = (string[])["2", Found.Value.Version!, .. flags, source.Name, source.Text, .. source.Headers.SelectMany(h => (string[])[h.Key, h.Value]), .. headers.SelectMany(h => (string[])[h.Key, h.Value])];
        var key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', parts))))[..32];
        var library = Path.Combine(UserCache.Folder("emulation"), $"{Path.GetFileNameWithoutExtension(source.Name)}-{key}.so");
        if (!File.Exists(library))
            Compile(source, headers, flags, library);
        return library;
    }

    /// <summary>File and line of an address in a library: "LinearScan.cu:40"; null where that cannot be found out.</summary>
    public static string? Line(string library, nint offset)
    {
        try
        {
            // The address is that of the return from the check; the access belongs to the instruction before.
            var (code, output) = Run("addr2line", ["-e", library, $"0x{offset - 1:x}"], null);
            var line = output.Trim().Split(' ')[0];
            return code != 0 || line.StartsWith('?') || line.EndsWith(":0", StringComparison.Ordinal) || line.EndsWith(":?", StringComparison.Ordinal) ? null : Path.GetFileName(line);
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private static void Compile(CudaSource source, Dictionary<string, string> headers, string[] flags, string library)
    {
        if (source.Text.Contains("extern __shared__", StringComparison.Ordinal))
            throw new UserException($"{source}: `extern __shared__` is not emulated; use zoo::dynamic_shared<T>().");
        var folder = Directory.CreateTempSubdirectory("zoo-emulation-").FullName;
        try
        {
            foreach (var (name, text) in headers.Concat(source.Headers))
                File.WriteAllText(Path.Combine(folder, name), text);
            // Everything of the .cu is local to the unit: then GCC leaves gaps after each static variable, also those of templates.
            var unit = Path.Combine(folder, "unit.cpp");
            File.WriteAllText(unit, $"#include \"emulation.h\"\nnamespace {{\n#line 1 \"{source.Name}\"\n{source.Text}\n}}\n");
            var expanded = Path.Combine(folder, "unit.ii");
            Require(source, Run(Compiler, [.. flags, $"-I{folder}", "-E", unit, "-o", expanded], folder), folder);
            var names = KernelName().Matches(File.ReadAllText(expanded)).Select(m => m.Groups[1].Value).Distinct().ToList();
            File.AppendAllText(unit, string.Concat(names.Select(n => $"ZOO_EMULATED_KERNEL({n})\n")));
            var result = Path.Combine(folder, "unit.so");
            Require(source, Run(Compiler, [.. flags, $"-I{folder}", unit, "-o", result], folder), folder);
            AtomicFile.Write(library, File.ReadAllBytes(result));
            RemoveUnused(Path.GetDirectoryName(library)!);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Every change of a kernel makes another library: those of weeks ago are nobody's.</summary>
    private static void RemoveUnused(string folder)
    {
        foreach (var old in new DirectoryInfo(folder).EnumerateFiles().Where(f => DateTime.UtcNow - f.LastWriteTimeUtc > TimeSpan.FromDays(14)))
        {
            try
            {
                old.Delete();
            }
            catch (IOException)
            {
                // Another process was faster.
            }
        }
    }

    private static void Require(CudaSource source, (int Code, string Output) run, string folder)
    {
        if (run.Code != 0)
            throw new UserException($"{source} does not compile for emulation:\n{run.Output.Replace(folder + "/", "")}");
    }

    private static (int Code, string Output) Run(string program, IEnumerable<string> arguments, string? folder)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder ?? "" };
        start.Environment["LC_ALL"] = "C";
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.Result);
    }

    private static (string?, string?) Find()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture is not (Architecture.X64 or Architecture.Arm64))
            return (null, "kernels are emulated on Linux for x64 and Arm64");
        try
        {
            var (code, output) = Run(Compiler, ["-dumpfullversion"], null);
            return code == 0 ? (output.Trim(), null) : (null, $"{Compiler} does not run: {output.Trim()}");
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return (null, $"{Compiler} is not installed");
        }
    }

    /// <summary>Without the instruction, fmaf is a slow function.</summary>
    private static string[] ProcessorFlags() =>
        RuntimeInformation.ProcessArchitecture == Architecture.X64 && File.Exists("/proc/cpuinfo") && File.ReadAllText("/proc/cpuinfo").Contains(" fma ", StringComparison.Ordinal)
            ? ["-mfma", "-mavx2"]
            : [];

    private static string Read(Assembly assembly, string name)
    {
        using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }

    [GeneratedRegex("""extern\s+"C"\s+__attribute__\s*\(\(zoo_kernel\)\)\s+void\s+(\w+)\s*\(""")]
    private static partial Regex KernelName();
}
