namespace Zoo.Training;

/// <summary>How the learning rate moves over the run, after a linear warm-up.</summary>
public enum ScheduleKind
{
    /// <summary>It stays.</summary>
    Constant,

    /// <summary>In a straight line to the final rate.</summary>
    Linear,

    /// <summary>Along half a cosine to the final rate.</summary>
    Cosine,

    /// <summary>It drops by a factor at the given fractions of the run.</summary>
    Step,

    /// <summary>Along half a cosine to the final rate, and lower by a factor from each of the given fractions of the run on.</summary>
    CosineStep,
}
