using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Zoo.Kernels.Cuda;

namespace Zoo.CudaEmulation;

/// <summary>A .cu file as a shared library.</summary>
internal sealed unsafe class EmulatedModule
{
    private const string KindCodes = "pilf";   // in the order of CudaArgumentKind

    private readonly CudaSource _source;
    private readonly string _path;
    private readonly nint _library;
    private readonly delegate* unmanaged[Cdecl]<Launch*, Report*, int> _launch;

    public EmulatedModule(CudaSource source, int architecture)
    {
        _source = source;
        _path = Gcc.Library(source, architecture);
        _library = NativeLibrary.Load(_path);
        _launch = (delegate* unmanaged[Cdecl]<Launch*, Report*, int>)NativeLibrary.GetExport(_library, "zoo_emulation_launch");
    }

    /// <summary>Runs a kernel to its end.</summary>
    /// <exception cref="UserException">There is none of that name.</exception>
    /// <exception cref="ArgumentException">Its parameters are others.</exception>
    /// <exception cref="EmulationFaultException">It did what it must not.</exception>
    public void Run(CudaLaunch launch, CudaSchedule schedule, EmulatorMemory memory)
    {
        if (!NativeLibrary.TryGetExport(_library, "zoo_run_" + launch.Kernel, out var kernel))
            throw new UserException($"{launch.Caller}: {_source} has no kernel '{launch.Kernel}'; is it extern \"C\" __global__?");
        CheckArguments(launch);
        var count = launch.Arguments.Count;
        var values = stackalloc long[count];
        var addresses = stackalloc void*[count];
        for (var i = 0; i < count; i++)
        {
            values[i] = launch.Arguments[i].Bits;
            addresses[i] = values + i;
        }
        const ulong mostAccesses = 4_000_000_000;
        var native = new Launch
        {
            Run = kernel,
            Arguments = (nint)addresses,
            Grid = Size.Of(launch.Grid),
            Block = Size.Of(launch.Block),
            SharedBytes = (uint)launch.SharedBytes,
            Schedule = (uint)schedule,
            Seed = 1,
            Budget = mostAccesses,
            Arena = memory.Start,
            ArenaBytes = (nint)memory.Bytes,
            ArenaShadow = memory.Shadow,
        };
        Report report;
        var result = _launch(&native, &report);
        if (result < 0)
            throw new EnvironmentException("The system gives no memory for the stacks of emulated threads.");
        if (result > 0)
            throw new EmulationFaultException(Describe(launch, report, memory));
    }

    private void CheckArguments(CudaLaunch launch)
    {
        var signature = Marshal.PtrToStringUTF8(((delegate* unmanaged[Cdecl]<nint>)NativeLibrary.GetExport(_library, "zoo_signature_" + launch.Kernel))())!;
        var given = string.Concat(launch.Arguments.Select(a => KindCodes[(int)a.Kind]));
        if (signature == given)
            return;
        throw new ArgumentException($"{launch.Caller}: '{launch.Kernel}' takes {Words(signature)} and was given {Words(given)}.");

        static string Words(string codes) => codes.Length == 0 ? "nothing" : string.Join(", ", codes.Select(c => c switch
        {
            'p' => "pointer",
            'i' => "int",
            'l' => "long long",
            'f' => "float",
            _ => "something that no launch can pass",
        }));
    }

    private string Describe(CudaLaunch launch, Report report, EmulatorMemory memory)
    {
        var text = Marshal.PtrToStringUTF8((nint)report.Text)!;
        if (report.Kind == Report.Access)
        {
            var what = text.Length > 0 ? text : DescribeArray(launch, report, memory);
            text = $"{(report.IsWrite != 0 ? "writes" : "reads")} {report.Bytes} bytes out of bounds: {what}";
        }
        var line = report.Code != 0 && Gcc.Line(_path, report.Code) is { } found ? $", {found}" : "";
        return $"{launch.Caller}: {launch.Kernel}, block {report.Block}, thread {report.Thread}{line}: {text}";
    }

    private string DescribeArray(CudaLaunch launch, Report report, EmulatorMemory memory)
    {
        if (memory.Nearest(report.Address) is not { } array)
            return "memory before every array";
        var names = ParameterNames(launch.Kernel);
        var owner = Enumerable.Range(0, launch.Arguments.Count)
            .Where(i => launch.Arguments[i].Kind == CudaArgumentKind.Pointer && launch.Arguments[i].Bits >= array.Memory && launch.Arguments[i].Bits <= array.Memory + array.Bytes)
            .Select(i => i < names.Count ? $"'{names[i]}'" : $"argument {i}")
            .FirstOrDefault() ?? "an array that this launch was not given";
        return $"byte {report.Address - array.Memory} of the {array.Bytes} bytes of {owner}";
    }

    private IReadOnlyList<string> ParameterNames(string kernel)
    {
        var match = Regex.Match(_source.Text, $@"\b{Regex.Escape(kernel)}\s*\(([^)]*)\)");
        return match.Success ? [.. match.Groups[1].Value.Split(',').Select(p => Regex.Match(p, @"(\w+)\s*$").Value)] : [];
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Size
    {
        public uint X, Y, Z;

        public static Size Of(CudaSize size) => new() { X = (uint)size.X, Y = (uint)size.Y, Z = (uint)size.Z };

        public readonly override string ToString() => $"({X}, {Y}, {Z})";
    }

    /// <summary>As emulation.h has it.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Launch
    {
        public nint Run, Arguments;
        public Size Grid, Block;
        public uint SharedBytes, Schedule;
        public ulong Seed, Budget;
        public nint Arena, ArenaBytes, ArenaShadow;
    }

    /// <summary>As emulation.h has it.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Report
    {
        public const int Access = 1;

        public int Kind, IsWrite;
        public Size Block, Thread;
        public nint Address, Code;
        public ulong Bytes;
        public fixed byte Text[1024];
    }
}
