using System.Diagnostics;
using System.Runtime.InteropServices;
using Zoo.CudaEmulation;
using Zoo.Kernels.Cuda;
using Zoo.Tests.Files;

namespace Zoo.Tests.Kernels.Cuda;

/// <summary>A driver library that keeps a log instead of having a card. Compiled by the system's C compiler; the test is skipped where there is none.</summary>
internal sealed unsafe class FakeDriver : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly nint _library;

    public FakeDriver()
    {
        EmulatedOp.Require();
        var source = _folder.File("FakeDriver.c");
        using (var stream = typeof(FakeDriver).Assembly.GetManifestResourceStream("Kernels/Cuda/FakeDriver.c")!)
        using (var file = File.Create(source))
            stream.CopyTo(file);
        var path = _folder.File("libfake.so");
        using var process = Process.Start("gcc", ["-shared", "-fPIC", "-w", "-o", path, source])!;
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, "the fake driver compiles");
        _library = NativeLibrary.Load(path);
        Driver = new CudaDriver(_library);
    }

    public CudaDriver Driver { get; }

    /// <summary>What was called since the last <see cref="Reset"/>.</summary>
    public string Log => Marshal.PtrToStringUTF8(((delegate* unmanaged[Cdecl]<nint>)NativeLibrary.GetExport(_library, "fake_log"))())!;

    public void Reset(int architecture = 90, bool pools = true) =>
        ((delegate* unmanaged[Cdecl]<int, int, void>)NativeLibrary.GetExport(_library, "fake_reset"))(architecture, pools ? 1 : 0);

    public void Fail(string function, int error)
    {
        var name = Marshal.StringToCoTaskMemUTF8(function);
        ((delegate* unmanaged[Cdecl]<nint, int, void>)NativeLibrary.GetExport(_library, "fake_fail"))(name, error);
        Marshal.FreeCoTaskMem(name);
    }

    public void Dispose() => _folder.Dispose();   // the library stays loaded: others may hold its functions
}
