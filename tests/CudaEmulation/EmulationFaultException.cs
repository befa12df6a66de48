namespace Zoo.CudaEmulation;

/// <summary>A kernel did what no card allows: touched memory that is none of its own, raced, or waited for ever. The message says who, where and what.</summary>
public sealed class EmulationFaultException(string message) : Exception(message);
