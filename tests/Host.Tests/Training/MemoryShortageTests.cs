using Zoo.Host.Training;
using static TorchSharp.torch;

namespace Zoo.Tests.Training;

/// <summary>Memory that cannot be had is a sentence that says what to lower; and only that is.</summary>
internal sealed class MemoryShortageTests
{
    [Test]
    public void Caused_LibTorchCannotAllocate_IsTrueAndSaysHowMuch()
    {
        var failure = Assert.Catch(() => empty(1L << 45, dtype: ScalarType.Float32))!;

        Assert.That(MemoryShortage.Caused(failure), Is.True, failure.Message);
        Assert.That(MemoryShortage.Error("here", "Lower it.", failure).Message, Is.EqualTo("Memory ran out here: 140,737.5 GB more could not be had. Lower it."));
    }

    [Test]
    public void Caused_OtherFailures_IsFalse()
    {
        var shape = Assert.Catch(() => zeros(2, 3).mm(zeros(2, 3)))!;
        Assert.That(MemoryShortage.Caused(shape), Is.False);
        Assert.That(MemoryShortage.Caused(new UserException("out of memory")), Is.False);
        Assert.That(MemoryShortage.Caused(new InvalidOperationException("x", new OutOfMemoryException())), Is.True);
    }

    [TestCase("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB", "Memory ran out here: 20.00 GiB more could not be had. Lower it.")]
    [TestCase("std::bad_alloc", "Memory ran out here. Lower it.")]
    public void Error_OtherAllocators_SayWhatTheyCan(string message, string expected)
    {
        var failure = new System.Runtime.InteropServices.ExternalException(message);
        Assert.That(MemoryShortage.Caused(failure), Is.True);
        Assert.That(MemoryShortage.Error("here", "Lower it.", failure).Message, Is.EqualTo(expected));
    }

    [Test]
    public void Advance_BatchBeyondMemory_NamesTheBatchAndWhatToLower()
    {
        using var model = new TinyClassifier();
        using var data = new TinyData { OnTrainingBatch = () => empty(1L << 45) };
        using var trainer = new Trainer(model, data, TestSettings.Complete, new TrainerOptions());

        Assert.That(() => trainer.Advance(1, []), Throws.TypeOf<EnvironmentException>().With.Message.EqualTo(
            "Memory ran out at step 1 with batches of 8 (--batch-size 8): 140,737.5 GB more could not be had. Lower --batch-size; " +
            "--set train.accumulate=N takes N batches a step, so that the step stays as large."));
    }

    [Test]
    public void Run_HeldOutBatchBeyondMemory_NamesTheSet()
    {
        using var model = new TinyClassifier();
        using var data = new TinyData { OnHeldOutBatch = () => empty(1L << 45) };

        Assert.That(() => new Evaluator(model, data, CPU).Run(data.HeldOut), Throws.TypeOf<EnvironmentException>().With.Message.StartsWith(
            "Memory ran out evaluating 'test' with batches of 30: 140,737.5 GB more could not be had."));
    }
}
