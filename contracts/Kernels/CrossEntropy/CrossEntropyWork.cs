using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Memory of one call: the tensors, the present chunk of the matrix by columns, its logits, and what is known of each row.</summary>
internal sealed unsafe class CrossEntropyWork : IDisposable
{
    private readonly int _vocabulary;
    private readonly int _chunkSize;

    public CrossEntropyWork(OpCall call, KernelArrays arrays, int chunkSize)
    {
        (Rows, Dim, _vocabulary) = (call.Count("L"), call.Count("D"), call.Count("E"));
        Hidden = arrays["hidden"].Float32;
        Weight = arrays["weight"].Float32;
        Targets = arrays["targets"].Int64;
        Bias = arrays["bias"].Float32;
        LogSums = arrays["log_sums"].Float32;
        GradHidden = arrays.Gradient("hidden").Float32;
        GradWeight = arrays.Gradient("weight").Float32;
        GradBias = arrays.Gradient("bias").Float32;
        Chunks = (_vocabulary + chunkSize - 1) / chunkSize;
        _chunkSize = chunkSize;
        var vectors = 2 * Simd.Bits / 32;
        Padded = (Math.Min(chunkSize, _vocabulary) + vectors - 1) / vectors * vectors;
        Matrix = Allocate((long)Dim * Padded);
        Offsets = Allocate(Padded);
        Logits = Allocate((long)Rows * Padded);
        Maxima = Allocate(Rows);
        Sums = Allocate(Rows);
        TargetLogits = Allocate(Rows);
        new Span<float>(Maxima, Rows).Fill(float.NegativeInfinity);
        new Span<float>(Sums, Rows).Clear();
    }

    public int Rows { get; }

    public int Dim { get; }

    public int Chunks { get; }

    /// <summary>Columns of the chunk's memory: entries up to whole tiles.</summary>
    public int Padded { get; }

    /// <summary>The first entry of the present chunk.</summary>
    public int First { get; private set; }

    /// <summary>Entries of the present chunk.</summary>
    public int Entries { get; private set; }

    public float* Hidden { get; }

    public float* Weight { get; }

    public long* Targets { get; }

    public float* Bias { get; }

    /// <summary>log Σ exp of each row, kept by forward.</summary>
    public float* LogSums { get; }

    public float* GradHidden { get; }

    public float* GradWeight { get; }

    public float* GradBias { get; }

    /// <summary>The chunk's matrix, [dim, padded].</summary>
    public float* Matrix { get; }

    /// <summary>What is added to the chunk's logits: the bias, and -infinity where there is no entry.</summary>
    public float* Offsets { get; }

    /// <summary>The chunk's logits of every row, or their gradients, [rows, padded].</summary>
    public float* Logits { get; }

    /// <summary>The largest logit of each row so far.</summary>
    public float* Maxima { get; }

    /// <summary>Σ exp(logit - largest) so far.</summary>
    public float* Sums { get; }

    public float* TargetLogits { get; }

    /// <summary>The loss's gradient over the number of rows.</summary>
    public float Share { get; set; }

    /// <summary>Lays out a chunk of the matrix.</summary>
    public void Prepare(int chunk)
    {
        First = chunk * _chunkSize;
        Entries = Math.Min(_chunkSize, _vocabulary - First);
        MatrixProduct.Transpose(Entries, Dim, Weight + (long)First * Dim, Dim, Matrix, Padded, Padded);
        var offsets = new Span<float>(Offsets, Padded);
        if (Bias == null)
            offsets[..Entries].Clear();
        else
            new Span<float>(Bias + First, Entries).CopyTo(offsets);
        offsets[Entries..].Fill(float.NegativeInfinity);
    }

    public void Dispose()
    {
        foreach (var memory in new[] { (nint)Matrix, (nint)Offsets, (nint)Logits, (nint)Maxima, (nint)Sums, (nint)TargetLogits })
            NativeMemory.Free((void*)memory);
    }

    private static float* Allocate(long count) => (float*)NativeMemory.Alloc((nuint)Math.Max(1, count), sizeof(float));
}
