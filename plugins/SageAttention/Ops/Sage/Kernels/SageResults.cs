using Zoo.Kernels;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>What a call wants besides attention itself: integers, scales and means. Null what is not wanted.</summary>
internal unsafe struct SageResults
{
    /// <summary>Integers, [head, token, dim].</summary>
    public sbyte* Queries, Keys;

    /// <summary>[head, group].</summary>
    public float* QueryScales, KeyScales;

    /// <summary>[key head, dim]; [head, block, dim]; [head, block, key].</summary>
    public float* KeyMeans, QueryMeans, Corrections;

    /// <summary>FP8 values as float32, [key head, key, dim]; their scales and means, [key head, dim].</summary>
    public float* Values, ValueScales, ValueMeans;

    /// <summary>Groups of a head.</summary>
    public int QueryGroups, KeyGroups;

    /// <summary>From the arrays of a call.</summary>
    public static SageResults Of(KernelArrays arrays, int queryGroups, int keyGroups) => new()
    {
        Queries = (sbyte*)arrays["q_int8"].Pointer,
        Keys = (sbyte*)arrays["k_int8"].Pointer,
        QueryScales = arrays["q_scale"].Float32,
        KeyScales = arrays["k_scale"].Float32,
        KeyMeans = arrays["km"].Float32,
        QueryMeans = arrays["qm"].Float32,
        Corrections = arrays["delta_s"].Float32,
        Values = arrays["v_fp8"].Float32,
        ValueScales = arrays["v_scale"].Float32,
        ValueMeans = arrays["vm"].Float32,
        QueryGroups = queryGroups,
        KeyGroups = keyGroups,
    };
}
