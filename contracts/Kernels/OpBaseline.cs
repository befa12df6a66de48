namespace Zoo.Kernels;

/// <summary>Another way to compute what an op computes, timed beside it.</summary>
/// <param name="Name">As `"backend"` reports it: "loop", "libtorch-fp32", "libtorch-bf16".</param>
/// <param name="Run">From inputs and options to outputs, with autograd.</param>
public sealed record OpBaseline(string Name, Func<NamedTensors, OpOptions, NamedTensors> Run);
