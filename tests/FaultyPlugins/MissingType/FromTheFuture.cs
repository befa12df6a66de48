namespace Zoo.Faulty;

/// <summary>Derives from a type that this host's contract does not have.</summary>
public sealed class FromTheFuture : FutureBase;
