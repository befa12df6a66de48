namespace Zoo.Host.Runs;

/// <summary>How often a run records, evaluates and saves where the user says nothing.</summary>
internal static class TrainingIntervals
{
    /// <summary>Time between checkpoints that are not asked for by steps.</summary>
    public static readonly TimeSpan CheckpointTime = TimeSpan.FromMinutes(5);

    private const int RecordsARun = 200;
    private const int EvaluationsARun = 10;
    private const int MostPassEvaluations = 30;

    /// <summary>Steps between records: about two hundred a run.</summary>
    public static long Record(long stepCount) => Math.Max(1, stepCount / RecordsARun);

    /// <summary>Steps between evaluations: each pass where there are a few, ten a run otherwise.</summary>
    /// <param name="stepCount">Steps of the run.</param>
    /// <param name="trainingExamples">Examples a pass.</param>
    /// <param name="examplesAStep">Examples a step.</param>
    public static long Evaluation(long stepCount, long? trainingExamples, long examplesAStep)
    {
        var passes = trainingExamples is { } count ? stepCount * examplesAStep / (double)count : 0;
        return passes is >= 2 and <= MostPassEvaluations
            ? (long)Math.Ceiling(trainingExamples!.Value / (double)examplesAStep)
            : Math.Max(1, stepCount / EvaluationsARun);
    }
}
