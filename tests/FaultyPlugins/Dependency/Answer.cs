namespace Zoo.Faulty.Needed;

/// <summary>What <c>MissingDependency</c> needs.</summary>
public static class Answer
{
    public static string Name => "missing-dependency";
}
