namespace Zoo.MinRnn;

/// <summary>What of a sequence a classifier scores.</summary>
public enum SequencePooling
{
    /// <summary>The mean over time.</summary>
    Mean,

    /// <summary>The last step.</summary>
    Last,

    /// <summary>Every step by itself.</summary>
    None,
}
