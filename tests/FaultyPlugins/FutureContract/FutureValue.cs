namespace Zoo;

/// <summary>Not in the present contract.</summary>
public readonly record struct FutureValue(long Count);
