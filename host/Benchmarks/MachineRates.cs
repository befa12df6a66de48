using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.Host.Benchmarks;

/// <summary>What one thread of this machine can do, or a card, the divisors of a floor.</summary>
/// <param name="Dram">Bytes read from memory, GB/s; of a card bytes read and written.</param>
/// <param name="Fp32">float32 arithmetic, GFLOP/s.</param>
/// <param name="BFloat16">bfloat16 products, GFLOP/s; twice float32 on a processor where it is not given.</param>
/// <param name="Int8">8-bit products, GOP/s; four times float32 on a processor where it is not given.</param>
/// <param name="Exp">Exponentials, G/s.</param>
internal sealed record MachineRates(double Dram, double Fp32, double BFloat16, double Int8, double Exp)
{
    private const int Trials = 7;

    /// <summary>The rates' names, as `--rates` has them.</summary>
    public static IReadOnlyList<string> RateNames { get; } = ["dram", "fp32", "bf16", "int8", "exp"];

    /// <summary>Those that a processor measures; the others follow from float32's.</summary>
    public static IReadOnlyList<string> MeasuredNames { get; } = ["dram", "fp32", "exp"];

    /// <summary>Reads `--rates dram=24.2,fp32=118,…`; what it leaves out is measured.</summary>
    /// <param name="text">As typed; null for none.</param>
    /// <param name="cancellation">Asked between measurements.</param>
    /// <exception cref="UserException">A name or number is wrong.</exception>
    public static MachineRates Parse(string? text, CancellationToken cancellation = default)
    {
        var given = Given(text);
        var fp32 = given.TryGetValue("fp32", out var flops) ? flops : MeasureFlops(cancellation);
        return new MachineRates(
            given.TryGetValue("dram", out var dram) ? dram : MeasureDram(cancellation),
            fp32,
            given.TryGetValue("bf16", out var bf16) ? bf16 : 2 * fp32,
            given.TryGetValue("int8", out var int8) ? int8 : 4 * fp32,
            given.TryGetValue("exp", out var exp) ? exp : MeasureExp(cancellation));
    }

    /// <summary>The rates that the user gave, by name.</summary>
    /// <exception cref="UserException">A name or number is wrong.</exception>
    public static IReadOnlyDictionary<string, double> Given(string? text)
    {
        var given = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var part in (text ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = part.IndexOf('=');
            var name = equals < 0 ? part : part[..equals];
            if (!RateNames.Contains(name))
                throw new UserException($"--rates {text}: '{name}' is no rate; there are {string.Join(", ", RateNames)}.{Names.DidYouMean(name, RateNames)}");
            if (!double.TryParse(part[(equals + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out var value) || !(value > 0) || !double.IsFinite(value))
                throw new UserException($"--rates {text}: '{part}' must be {name}=NUMBER, in GB/s, GFLOP/s, GOP/s or G/s.");
            given[name] = value;
        }
        return given;
    }

    /// <summary>The rates with where each comes from: "dram 24.2 GB/s (given), fp32 118 GFLOP/s (measured), bf16 236 (2 × fp32), …".</summary>
    /// <param name="given">The names that `--rates` had.</param>
    /// <param name="measuresProducts">Whether bf16 and int8 are measured too, as on a card.</param>
    public string Describe(IReadOnlySet<string> given, bool measuresProducts)
    {
        return string.Create(CultureInfo.InvariantCulture,
            $"dram {Dram:F1} GB/s ({From("dram")}), fp32 {Fp32:F0} GFLOP/s ({From("fp32")}), bf16 {BFloat16:F0} GFLOP/s ({From("bf16", "2 × fp32")}), ") +
            string.Create(CultureInfo.InvariantCulture, $"int8 {Int8:F0} GOP/s ({From("int8", "4 × fp32")}), exp {Exp:F1} G/s ({From("exp")})");

        string From(string name, string? factor = null) => given.Contains(name) ? "given" : factor is null || measuresProducts ? "measured" : factor;
    }

    /// <summary>The least milliseconds that work of this cost can take: the longer of moving its bytes and doing its arithmetic.</summary>
    public double FloorMilliseconds(OpCost cost)
    {
        var rate = cost.Arithmetic switch
        {
            "bf16" => BFloat16,
            "int8" => Int8,
            _ => Fp32,
        };
        return Math.Max(cost.Bytes / Dram, cost.Flops / rate + cost.Int8Operations / Int8 + cost.Exponentials / Exp) * 1e-6;
    }

    private static double MeasureFlops(CancellationToken cancellation)
    {
        var kernel = new FlopsKernel();
        return Best(() => Simd.Run(kernel), FlopsKernel.Flops * (Simd.Bits / 32), cancellation);
    }

    private static double MeasureExp(CancellationToken cancellation)
    {
        var kernel = new ExpKernel();
        return Best(() => Simd.Run(kernel), ExpKernel.Count, cancellation);
    }

    private static unsafe double MeasureDram(CancellationToken cancellation)
    {
        const long bytes = 4 * ((64L << 20) + 68 * 1024);   // far beyond any cache of a core, in four runs that do not meet in one set of it
        var memory = NativeMemory.AlignedAlloc((nuint)bytes, 64);
        try
        {
            NativeMemory.Fill(memory, (nuint)bytes, 1);
            var kernel = new ReadKernel((nint)memory, bytes / sizeof(float));
            return Best(() => Simd.Run(kernel), bytes, cancellation);
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }

    /// <summary>Units in billions a second of CPU time, of the best trial.</summary>
    private static double Best(Action work, double units, CancellationToken cancellation)
    {
        work();
        var least = double.PositiveInfinity;
        for (var i = 0; i < Trials; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            var start = CpuClock.Seconds;
            work();
            least = Math.Min(least, CpuClock.Seconds - start);
        }
        return units / least * 1e-9;
    }

    /// <summary>Ten independent chains of multiply-add: enough for two units of four cycles' latency.</summary>
    private readonly struct FlopsKernel : ISimdKernel
    {
        private const int Rounds = 4_000_000;

        /// <summary>A lane's operations.</summary>
        public const double Flops = 20.0 * Rounds;

        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            V a = V.Create(0.5f), b = V.Create(0.25f);
            V c0 = a, c1 = a, c2 = a, c3 = a, c4 = a, c5 = b, c6 = b, c7 = b, c8 = b, c9 = b;
            for (var i = 0; i < Rounds; i++)
            {
                c0 = V.MultiplyAdd(c0, a, b);
                c1 = V.MultiplyAdd(c1, a, b);
                c2 = V.MultiplyAdd(c2, a, b);
                c3 = V.MultiplyAdd(c3, a, b);
                c4 = V.MultiplyAdd(c4, a, b);
                c5 = V.MultiplyAdd(c5, a, b);
                c6 = V.MultiplyAdd(c6, a, b);
                c7 = V.MultiplyAdd(c7, a, b);
                c8 = V.MultiplyAdd(c8, a, b);
                c9 = V.MultiplyAdd(c9, a, b);
            }
            Keep(V.Sum(c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9));
        }
    }

    /// <summary>Powers of two, four vectors side by side: the fastest exponentials there are for every x.</summary>
    private readonly unsafe struct ExpKernel : ISimdKernel
    {
        private const int Length = 4096;
        private const int Rounds = 4000;

        /// <summary>Exponentials of a call.</summary>
        public const double Count = (double)Length * Rounds;

        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            var memory = stackalloc float[Length];
            for (var i = 0; i < Length; i++)
                memory[i] = -i * 0.001f;
            for (var round = 0; round < Rounds; round++)
            {
                for (var i = 0; i < Length; i += 4 * V.Count)
                {
                    float* at = memory + i;
                    V a = V.Load(at), b = V.Load(at + V.Count), c = V.Load(at + 2 * V.Count), d = V.Load(at + 3 * V.Count);
                    VectorMath.Exp2(ref a, ref b, ref c, ref d);
                    (-a).Store(at);
                    (-b).Store(at + V.Count);
                    (-c).Store(at + 2 * V.Count);
                    (-d).Store(at + 3 * V.Count);
                }
            }
            Keep(memory[7]);
        }
    }

    /// <summary>Four runs side by side, as memory gives most: one alone got 16.8 GB/s where four got 26.6.</summary>
    private readonly unsafe struct ReadKernel(nint memory, long count) : ISimdKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            var quarter = count / 4;
            float* a = (float*)memory, b = a + quarter, c = b + quarter, d = c + quarter;
            V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
            for (long i = 0; i < quarter; i += V.Count)
            {
                s0 += V.Load(a + i);
                s1 += V.Load(b + i);
                s2 += V.Load(c + i);
                s3 += V.Load(d + i);
            }
            Keep(V.Sum(s0 + s1 + (s2 + s3)));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Keep(float value) => Debug.Assert(!float.IsNegativeInfinity(value));
}
