using System.Text.Json.Nodes;

namespace Zoo.Kernels;

/// <summary>A recorded case of an op, as its file has it.</summary>
/// <param name="Arguments">Inputs and parameters by name.</param>
/// <param name="Expected">The recorded outputs.</param>
/// <param name="Config">Options, and keys that describe the case.</param>
public sealed record OpCase(NamedTensors Arguments, NamedTensors Expected, JsonObject Config);
