namespace Zoo;

/// <summary>Not in the present contract.</summary>
public abstract class FutureBase;
