using System.Diagnostics;
using System.Runtime.InteropServices;
using Zoo.Host.Runs;

namespace Zoo.Tests.Cli;

/// <summary>Ctrl-C and termination, in the midst of commands as users run them.</summary>
[Platform(Exclude = "Win", Reason = "There are no signals on Windows.")]
internal sealed partial class InterruptTests
{
    private const int SigInt = 2;
    private const int SigTerm = 15;
    private DirectoryInfo _folder = null!;

    [SetUp]
    public void SetUp() => _folder = Directory.CreateTempSubdirectory("zoo-interrupt-");

    [TearDown]
    public void TearDown() => _folder.Delete(recursive: true);

    [TestCase("bench lenet1989 --batch-size 1 --runs 100000000", SigInt)]
    [TestCase("bench transformer --preset tiny --mode decode --length 32 --runs 100000000", SigTerm)]
    [TestCase("bench --op lenet1989_net --shape B=4 --runs 100000000 --rates dram=20,fp32=100,exp=5", SigTerm)]
    public void Bench_Signal_Ends(string command, int signal)
    {
        var ended = ZooProcess.Signalled(command.Split(' '), Computes, [signal]);

        Assert.That((ended.ExitCode, ended.Output), Is.EqualTo((130, "")), ended.Error);
        Assert.That(ended.Error, Does.EndWith("Interrupted.\n"));
    }

    [TestCase(SigInt)]
    [TestCase(SigTerm)]
    public void Verify_Signal_SaysHowFarItCame(int signal)
    {
        var ended = ZooProcess.Signalled(["verify"], process => process.StandardOutput.ReadLine(), [signal]);

        Assert.That(ended.ExitCode, Is.EqualTo(130), ended.Error);
        Assert.That(ended.Error, Does.Match(@"Interrupted after \d+ of \d+ checks: \d+ passed, 0 failed, \d+ unsupported\.\n$"));
    }

    [TestCase("import", SigInt)]
    [TestCase("import", SigTerm)]
    [TestCase("export", SigInt)]
    [TestCase("generate", SigInt)]
    public void Verb_SignalWhileItReads_EndsAndLeavesNothing(string verb, int signal)
    {
        var pipe = MakeRun();
        FileStream? writer = null;
        var ended = ZooProcess.Signalled(
            Arguments(verb), _ => writer = OpenForWriting(pipe), [signal],
            afterwards: () =>
            {
                writer!.Write(File.ReadAllBytes(pipe + ".kept"));
                writer.Dispose();
            });

        Assert.That((ended.ExitCode, ended.Output), Is.EqualTo((130, "")), ended.Error);
        Assert.That(ended.Error, Does.EndWith("Interrupted.\n"));
        Assert.That(Directory.Exists(At("out")) ? Directory.GetFileSystemEntries(At("out")) : [], Is.Empty);

        string MakeRun()
        {
            var run = Zoo("train", "transformer", "--preset", "tiny", "--length", "16", "--steps", "0", "--out", At("runs"));
            Assert.That(run.ExitCode, Is.Zero, run.Error);
            Directory.Move(Directory.GetDirectories(At("runs")).Single(), At("run"));
            Assert.That(Zoo("export", At("run"), At("published")).ExitCode, Is.Zero);
            var config = Path.Combine(At(verb == "import" ? "published" : "run"), RunFolder.ConfigName);
            File.Move(config, config + ".kept");
            Assert.That(MakePipe(config, Convert.ToUInt32("600", 8)), Is.Zero);
            return config;
        }
    }

    /// <summary>Where what it computes takes long, as a batch of a large model does: it writes nothing, so it need not wait for that.</summary>
    [TestCase(SigInt)]
    [TestCase(SigTerm)]
    public void Eval_SignalInTheMidstOfACall_EndsAtOnce(int signal)
    {
        Assert.That(MakePipe(At("config.json"), Convert.ToUInt32("600", 8)), Is.Zero);
        FileStream? writer = null;
        var ended = ZooProcess.Signalled(["eval", _folder.FullName], _ => writer = OpenForWriting(At("config.json")), [signal]);
        writer!.Dispose();

        Assert.That((ended.ExitCode, ended.Output, ended.Error), Is.EqualTo((130, "", "Interrupted.\n")));
    }

    [Test]
    public void Verb_SignalInTheMidstOfALongCall_SaysThatItWillEnd()
    {
        Assert.That(MakePipe(At("config.json"), Convert.ToUInt32("600", 8)), Is.Zero);
        FileStream? writer = null;
        var ended = ZooProcess.Signalled(
            ["generate", _folder.FullName], _ => writer = OpenForWriting(At("config.json")), [SigTerm],
            afterwards: () =>
            {
                Thread.Sleep(2000);
                writer!.Dispose();
            });

        Assert.That(ended.Error, Does.StartWith("Ending as soon as what is being computed is done. Another Ctrl-C ends it at once.\n"));
    }

    [Test]
    public void Verb_SecondInterrupt_EndsInTheMidstOfACall()
    {
        Assert.That(MakePipe(At("config.json"), Convert.ToUInt32("600", 8)), Is.Zero);
        FileStream? writer = null;
        var ended = ZooProcess.Signalled(["generate", _folder.FullName], _ => writer = OpenForWriting(At("config.json")), [SigInt, SigInt]);
        writer!.Dispose();

        Assert.That((ended.ExitCode, ended.Error), Is.EqualTo((128 + SigInt, "")));
    }

    private string[] Arguments(string verb) => verb switch
    {
        "import" => ["import", "transformer", At("published"), "--out", At("out")],
        "export" => ["export", At("run"), At("out")],
        _ => [verb, At("run")],
    };

    /// <summary>Opens a pipe; returns when the command has opened it to read.</summary>
    private static FileStream OpenForWriting(string pipe) => new(pipe, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);

    private string At(string name) => Path.Combine(_folder.FullName, name);

    private static ZooProcess.Outcome Zoo(params string[] arguments) => ZooProcess.Run(arguments);

    /// <summary>Waits until so much was computed that the command is past its start.</summary>
    private static void Computes(Process process)
    {
        while (!process.HasExited && process.TotalProcessorTime.TotalSeconds < 4)
            Thread.Sleep(20);
    }

    [LibraryImport("libc", EntryPoint = "mkfifo", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakePipe(string path, uint mode);
}
