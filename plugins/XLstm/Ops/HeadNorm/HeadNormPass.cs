using Zoo.Kernels;

namespace Zoo.XLstm.Ops.HeadNorm;

/// <summary>What both passes read.</summary>
internal unsafe struct HeadNormPass
{
    public int Heads, Length, Dim;
    public float Offset;
    public HeadGate Act;
    public float* H, Weight, Skip, Conv, Gate;      // all but H null where not given
    public float* Means, Rates;                     // null where no backward follows

    public static HeadNormPass Of(OpCall call, KernelArrays arrays) => new()
    {
        Heads = call.Count("H"),
        Length = call.Count("L"),
        Dim = call.Count("D"),
        Offset = HeadNorm.Offset(call.Options),
        Act = HeadNorm.Gate(call.Options),
        H = arrays["h"].Float32,
        Weight = arrays["weight"].Float32,
        Skip = arrays["skip"].Float32,
        Conv = arrays["conv"].Float32,
        Gate = arrays["gate"].Float32,
        Means = arrays["means"].Float32,
        Rates = arrays["rates"].Float32,
    };

    /// <summary>Where a head's row stands in h, and in what has heads together.</summary>
    public readonly (long Apart, long Together, long Row) Places(int sequence, int head, int t)
    {
        var row = ((long)sequence * Heads + head) * Length + t;
        return (row * Dim, (((long)sequence * Length + t) * Heads + head) * Dim, row);
    }
}
