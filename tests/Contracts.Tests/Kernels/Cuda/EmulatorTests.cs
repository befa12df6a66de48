using Zoo.CudaEmulation;
using Zoo.Kernels.Cuda;

namespace Zoo.Tests.Kernels.Cuda;

/// <summary>What the emulator catches: one planted fault a test, beside the same kernel without it.</summary>
public sealed class EmulatorTests
{
    private static readonly float[] Numbers = [.. Enumerable.Range(0, 128).Select(i => (float)i)];

    [Test]
    public void Launch_SharedMemoryWithBarrier_IsRight([Values] CudaSchedule schedule)
    {
        var y = Run("reverse_right", 64, schedule, 64, 64);
        Assert.That(y[1], Is.EqualTo(Numbers[..64].Reverse()));
    }

    [Test]
    public void Launch_MissingBarrier_IsARace([Values] CudaSchedule schedule) =>
        Assert.That(Fault("reverse_without_barrier", 64, schedule, 64, 64), Does.Match("a race: (reads|writes) byte ").And.Contain("of the 256 bytes of the shared 'tile'").And.EndsWith("since the last __syncthreads"));

    [Test]
    public void Launch_MissingBarrierOfBytes_TwoSchedulesDiffer()
    {
        float[] Of(CudaSchedule schedule) => EmulatedKernel.Run(
            "Faults.cu", "reverse_bytes_without_barrier", 1, 64, array => [array(Numbers[..16]), array(new float[16])], schedule: schedule)[1];
        Assert.That(Of(CudaSchedule.Ascending), Is.Not.EqualTo(Of(CudaSchedule.Descending)));
    }

    [Test]
    public void Launch_RaceInGlobalMemory_TwoSchedulesDiffer()
    {
        float Of(CudaSchedule schedule) => EmulatedKernel.Run("Faults.cu", "race_in_global_memory", 1, 32, array => [array([1])], schedule: schedule)[0][0];
        Assert.That(Of(CudaSchedule.Ascending), Is.Not.EqualTo(Of(CudaSchedule.Descending)));
    }

    [Test]
    public void Launch_RaceBetweenBlocks_TwoSchedulesDiffer()
    {
        float[] Of(CudaSchedule schedule) => EmulatedKernel.Run(
            "Faults.cu", "race_between_blocks", 4, 1, array => [array([1, 2, 3, 4]), array([0, 0, 0, 0])], schedule: schedule)[1];
        Assert.That(Of(CudaSchedule.Ascending), Is.Not.EqualTo(Of(CudaSchedule.Descending)));
    }

    [Test]
    public void Launch_WarpWithBarrier_IsRight() => Assert.That(Run("neighbour_right", 32, CudaSchedule.Ascending, 32, 32)[1][0], Is.EqualTo(1));

    [Test]
    public void Launch_WarpWithoutBarrier_IsARace() =>
        Assert.That(Fault("neighbour_without_barrier", 32, CudaSchedule.Ascending, 32, 32), Does.Contain("since the last __syncthreads or __syncwarp"));

    [Test]
    public void Launch_WritePastSharedArray_NamesIt() =>
        Assert.That(Fault("write_past_shared", 32, CudaSchedule.Ascending, 32, 32), Does.Match(@"a test: write_past_shared, block \(0, 0, 0\), thread \(31, 0, 0\), Faults\.cu:\d+: writes 4 bytes out of bounds: byte 132 of the 132 bytes of the shared 'first'"));

    [Test]
    public void Launch_WritePastDynamicSharedMemory_IsCaught() =>
        Assert.That(
            () => EmulatedKernel.Run("Faults.cu", "write_past_dynamic", 1, 32, array => [array(Numbers[..32]), array(new float[32]), 32], sharedBytes: 128),
            Throws.TypeOf<EmulationFaultException>().With.Message.EndsWith("writes 4 bytes out of bounds: byte 128 of the 128 bytes of dynamic shared memory"));

    [TestCase(5, "byte 20 of the 20 bytes of 'y'")]
    [TestCase(1000, "byte 4000 of the 20 bytes of 'y'")]
    [TestCase(-1, "")]
    public void Launch_WritePastArray_NamesIt(int index, string end) =>
        Assert.That(
            () => EmulatedKernel.Run("Faults.cu", "write_at", 1, 1, array => [array(new float[5]), index]),
            Throws.TypeOf<EmulationFaultException>().With.Message.StartsWith("a test: write_at, block (0, 0, 0), thread (0, 0, 0), Faults.cu:")
                .And.Message.Contains("writes 4 bytes out of bounds").And.Message.EndsWith(end));

    [Test]
    public void Launch_ReadPastArray_NamesIt() =>
        Assert.That(
            () => EmulatedKernel.Run("Faults.cu", "read_at", 1, 1, array => [array(new float[7]), array(new float[1]), 7]),
            Throws.TypeOf<EmulationFaultException>().With.Message.EndsWith("reads 4 bytes out of bounds: byte 28 of the 28 bytes of 'x'"));

    [Test]
    public void Launch_WideRead_MustBeAligned()
    {
        void Read(int index) => EmulatedKernel.Run("Faults.cu", "read_wide_at", 1, 1, array => [array(new float[8]), array(new float[1]), index]);
        Assert.That(() => Read(4), Throws.Nothing);
        Assert.That(() => Read(1), Throws.TypeOf<EmulationFaultException>().With.Message.EndsWith("is no multiple of what its type wants"));
    }

    [Test]
    public void Launch_IndexBeyondARow_IsCaughtThoughTheNextRowIsThere()
    {
        void Write(int column) => EmulatedKernel.Run("Faults.cu", "write_in_row", 1, 1, array => [array(new float[1]), column]);
        Assert.That(() => Write(7), Throws.Nothing);
        Assert.That(() => Write(8), Throws.TypeOf<EmulationFaultException>().With.Message.Match(@"line \d+: the index 8 is out of its array's bounds$"));
    }

    [Test]
    public void Launch_DivisionByZero_IsCaught() =>
        Assert.That(
            () => EmulatedKernel.Run("Faults.cu", "divide", 1, 1, array => [array(new float[1]), 7, 0]),
            Throws.TypeOf<EmulationFaultException>().With.Message.EndsWith("7 is divided by zero"));

    [Test]
    public void Launch_AbsentArray_IsANullPointer() =>
        Assert.That(
            () => EmulatedKernel.Run("Faults.cu", "write_at", 1, 1, _ => [default(Zoo.Kernels.KernelArray), 1]),
            Throws.TypeOf<EmulationFaultException>().With.Message.EndsWith("a null pointer: an array that is absent"));

    [Test]
    public void Launch_BarrierInABranch_IsADeadlock([Values] CudaSchedule schedule) =>
        Assert.That(Fault("barrier_in_a_branch", 64, schedule, 64), Does.Contain("wait in line").And.Contain("at __syncthreads"));

    [Test]
    public void Launch_TwoBarriersInBranches_IsCaught([Values] CudaSchedule schedule) =>
        Assert.That(Fault("two_barriers", 64, schedule, 64), Does.Contain("waits at another, of line"));

    [TestCase("shuffle_from_inactive_lane", "lane 8 reads from lane 16, which is not active (mask 0x0000ffff, active 0x0000ffff)")]
    [TestCase("shuffle_from_ended_lane", "lane 23 reads from lane 24, which is not active (mask 0xffffffff, active 0x00ffffff)")]
    [TestCase("shuffle_not_named", "which does not name its own lane 16")]
    [TestCase("shuffle_without_a_lane", "deadlock: ")]
    public void Launch_ShuffleWithInactiveLane_IsCaught(string kernel, string part) =>
        Assert.That(Fault(kernel, 32, CudaSchedule.Ascending, 32), Does.Contain(part));

    [Test]
    public void Launch_CopyWaitedFor_IsThere() => Assert.That(Run("copy_right", 32, CudaSchedule.Ascending, 128, 128)[1], Is.EqualTo(Numbers.Reverse()));

    [Test]
    public void Launch_CopyNotWaitedFor_IsNaN() => Assert.That(Run("copy_not_waited_for", 32, CudaSchedule.Ascending, 128, 128)[1], Is.All.NaN);

    [Test]
    public void Launch_SharedMemoryNotWritten_IsNaN()
    {
        var y = Run("uninitialised", 32, CudaSchedule.Ascending, 32)[0];
        Assert.That(y[0], Is.EqualTo(1));
        Assert.That(y[1..], Is.All.NaN);
    }

    [Test]
    public void Launch_OtherArguments_SaysWhich() =>
        Assert.That(
            () => EmulatedKernel.Run("Faults.cu", "write_at", 1, 1, array => [array(new float[5]), 1L]),
            Throws.ArgumentException.With.Message.EqualTo("a test: 'write_at' takes pointer, int and was given pointer, long long."));

    [Test]
    public void Launch_NoSuchKernel_SaysSo() =>
        Assert.That(() => EmulatedKernel.Run("Faults.cu", "none", 1, 1, _ => []), Throws.TypeOf<UserException>().With.Message
            .EqualTo("a test: Kernels/Cuda/Faults.cu of Contracts.Tests has no kernel 'none'; is it extern \"C\" __global__?"));

    [Test]
    public void Launch_MoreThanACardTakes_IsRefused()
    {
        Assert.That(() => EmulatedKernel.Run("Faults.cu", "write_at", 1, 2000, array => [array([1]), 0]), Throws.ArgumentException);
        Assert.That(() => EmulatedKernel.Run("Faults.cu", "write_at", new CudaSize(1, 70000), 1, array => [array([1]), 0]), Throws.ArgumentException);
        Assert.That(() => EmulatedKernel.Run("Faults.cu", "write_at", 1, 1, array => [array([1]), 0], sharedBytes: 300_000), Throws.ArgumentException);
    }

    [Test]
    public void Launch_AfterAFault_WorksAgain()
    {
        Assert.That(Fault("reverse_without_barrier", 64, CudaSchedule.Ascending, 64, 64), Is.Not.Empty);
        Assert.That(Run("reverse_right", 64, CudaSchedule.Ascending, 64, 64)[1][0], Is.EqualTo(63));
    }

    private static List<float[]> Run(string kernel, int threads, CudaSchedule schedule, params int[] sizes) => EmulatedKernel.Run(
        "Faults.cu", kernel, 1, threads, array => [.. sizes.Select(s => (CudaArgument)array(Numbers[..s]))], schedule: schedule);

    private static string Fault(string kernel, int threads, CudaSchedule schedule, params int[] sizes)
    {
        EmulatedOp.Require();
        return Assert.Throws<EmulationFaultException>(() => Run(kernel, threads, schedule, sizes))!.Message;
    }
}
