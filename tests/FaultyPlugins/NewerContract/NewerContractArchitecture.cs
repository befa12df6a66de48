namespace Zoo.Faulty;

/// <summary>Built against a contract that this host does not have.</summary>
public sealed class NewerContractArchitecture() : TinyArchitecture("newer-contract");
