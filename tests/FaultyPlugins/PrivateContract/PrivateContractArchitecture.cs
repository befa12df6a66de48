namespace Zoo.Faulty;

/// <summary>The tests put a copy of the contract beside it.</summary>
public sealed class PrivateContractArchitecture() : TinyArchitecture("private-contract");
