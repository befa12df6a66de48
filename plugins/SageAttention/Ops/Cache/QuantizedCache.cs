using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.SageAttention.Ops.Cache;

/// <summary>Memory of a quantised cache, [batch, key head, …], and the two things that are done with it. README.md has the rules.</summary>
/// <param name="Keys">int8, [batch, key head, longest, dim].</param>
/// <param name="Values">int8, [batch, key head, longest, dim].</param>
/// <param name="KeyScales">bfloat16, [batch, key head, longest].</param>
/// <param name="ValueScales">bfloat16, [batch, key head, longest].</param>
/// <param name="Centres">What is taken off a block's keys, [batch, key head, block, dim].</param>
/// <param name="Sums">Of all keys, [batch, key head, dim].</param>
internal sealed unsafe record QuantizedCache(
    KernelArray Keys, KernelArray Values, KernelArray KeyScales, KernelArray ValueScales, KernelArray Centres, KernelArray Sums,
    int Batch, int Heads, int Longest, int Dim)
{
    /// <summary>Tokens whose keys have one centre.</summary>
    public const int TokensOfABlock = 64;

    private const int Levels = 127;

    private int Blocks => (Longest + TokensOfABlock - 1) / TokensOfABlock;

    /// <summary>Quantises further tokens.</summary>
    /// <param name="k">float32, [batch, time, key head, dim].</param>
    /// <param name="v">float32, of the same shape.</param>
    /// <param name="before">Tokens that are there.</param>
    /// <param name="count">How many come.</param>
    public void Append(KernelArray k, KernelArray v, int before, int count) => WorkShare.For(Batch * Heads, unit =>
    {
        var (row, head) = (unit / Heads, unit % Heads);
        var sums = Sums.Float32 + (long)unit * Dim;
        var zero = stackalloc float[Dim];
        new Span<float>(zero, Dim).Clear();
        for (var i = 0; i < count; i++)
        {
            var token = before + i;
            var source = ((row * (long)count + i) * Heads + head) * Dim;
            var (key, place) = ((nint)(k.Float32 + source), unit * (long)Longest + token);
            var centre = Centres.Float32 + (unit * (long)Blocks + token / TokensOfABlock) * Dim;
            if (token % TokensOfABlock == 0)
            {
                for (var d = 0; d < Dim; d++)
                    centre[d] = token == 0 ? ((float*)key)[d] : sums[d] / token;
            }
            for (var d = 0; d < Dim; d++)
                sums[d] += ((float*)key)[d];
            ((ushort*)KeyScales.Pointer)[place] = Quantise((float*)key, centre, (sbyte*)Keys.Pointer + place * Dim);
            ((ushort*)ValueScales.Pointer)[place] = Quantise(v.Float32 + source, zero, (sbyte*)Values.Pointer + place * Dim);
        }
    });

    /// <summary>o = softmax(q kᵀ / √dim) v for one query a sequence and head.</summary>
    /// <param name="q">float32, [batch, head, dim].</param>
    /// <param name="o">float32, [batch, head, dim].</param>
    /// <param name="queryHeads">Heads, a multiple of key heads.</param>
    /// <param name="length">Tokens that are there.</param>
    public void Attend(KernelArray q, KernelArray o, int queryHeads, int length)
    {
        var group = queryHeads / Heads;
        WorkShare.For(Batch * Heads, unit => Simd.Run(new CacheAttention
        {
            Dim = Dim,
            Length = length,
            Queries = group,
            Query = q.Float32 + (long)unit * group * Dim,
            Output = o.Float32 + (long)unit * group * Dim,
            Keys = (sbyte*)Keys.Pointer + (long)unit * Longest * Dim,
            Values = (sbyte*)Values.Pointer + (long)unit * Longest * Dim,
            KeyScales = (ushort*)KeyScales.Pointer + (long)unit * Longest,
            ValueScales = (ushort*)ValueScales.Pointer + (long)unit * Longest,
            Centres = Centres.Float32 + (long)unit * Blocks * Dim,
        }));
    }

    /// <summary>x - centre as whole numbers.</summary>
    /// <returns>The scale, in bfloat16: rounded up, so that nothing is beyond the levels.</returns>
    private ushort Quantise(float* x, float* centre, sbyte* whole)
    {
        float largest = 0;
        for (var d = 0; d < Dim; d++)
            largest = Math.Max(largest, Math.Abs(x[d] - centre[d]));        // NaN stays
        var bits = BitConverter.SingleToUInt32Bits(largest / Levels);
        var scale = float.IsFinite(largest) ? (ushort)((bits + 0xffff) >> 16) : (ushort)0x7fc0;
        var unit = BitConverter.UInt32BitsToSingle((uint)scale << 16);
        for (var d = 0; d < Dim; d++)
            whole[d] = unit > 0 ? (sbyte)Math.Clamp(MathF.Round((x[d] - centre[d]) / unit), -Levels, Levels) : (sbyte)0;
        return scale;
    }
}
