namespace Zoo.Tasks;

/// <summary>Writes samples of a synthetic task on tokens: each a function of its length and its own random numbers.</summary>
public abstract class TokenGenerator
{
    /// <summary>How many ids there are.</summary>
    public abstract int VocabSize { get; }

    /// <summary>The id after the end of a sample that is shorter than its row. Nothing there is scored, so a causal model cannot tell.</summary>
    public virtual long Padding => 0;

    /// <summary>Tokens of a sample of that length.</summary>
    /// <param name="length">Length as the task's options count it.</param>
    public virtual int TimeSteps(int length) => length;

    /// <summary>
    /// The share of right answers that needs no skill, for scaled accuracy, (accuracy - chance) / (1 - chance); null where a task has no such
    /// metric.
    /// </summary>
    /// <param name="length">Length as the task's options count it.</param>
    public virtual double? Chance(int length) => null;

    /// <summary>Writes a sample.</summary>
    /// <param name="row">Empty, with <see cref="TimeSteps"/> places at least.</param>
    /// <param name="length">Length as the task's options count it.</param>
    /// <param name="random">The sample's own.</param>
    public abstract void Write(TokenRow row, int length, ref SampleRandom random);

    /// <summary>A token as the documentation shows it.</summary>
    public virtual string Symbol(long id) => $"{id}";
}
