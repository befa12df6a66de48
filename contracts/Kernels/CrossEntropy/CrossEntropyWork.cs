using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Memory of one call: the tensors, the present chunk of the matrix by columns, its logits, and what is known of each row.</summary>
internal sealed unsafe class CrossEntropyWork : IDisposable
{
    private readonly int _vocabulary;
    private readonly int _chunkSize;
    private readonly bool _ownLogits;

    public CrossEntropyWork(OpCall call, KernelArrays arrays, int chunkSize, bool backward)
    {
        (Rows, Dim, _vocabulary) = (call.Count("L"), call.Count("D"), call.Count("E"));
        Hidden = arrays["hidden"].Float32;
        Weight = arrays["weight"].Float32;
        Targets = arrays["targets"].Int64;
        Bias = arrays["bias"].Float32;
        LogSums = arrays["log_sums"].Float32;
        KeptSums = arrays["sums"].Float32;
        GradHidden = arrays.Gradient("hidden").Float32;
        GradWeight = arrays.Gradient("weight").Float32;
        GradBias = arrays.Gradient("bias").Float32;
        Chunks = (_vocabulary + chunkSize - 1) / chunkSize;
        _chunkSize = chunkSize;
        PanelWidth = 2 * Simd.Bits / 32;
        Padded = PaddedSize(Math.Min(chunkSize, _vocabulary));
        Stride = StrideOf(Math.Min(chunkSize, _vocabulary));
        Matrix = Allocate((long)Dim * Whole(Padded));
        Offsets = Allocate(Padded);
        Exponentials = arrays["exponentials"].Float32;
        _ownLogits = backward || Exponentials == null;          // what forward kept stays as it is: backward may run twice
        Logits = _ownLogits ? Allocate((long)Rows * Stride) : Exponentials;
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

    /// <summary>From the logits of a row to those of the next: no power of two, so that a column does not share one place of the cache.</summary>
    public int Stride { get; }

    /// <summary>Columns of a panel.</summary>
    public int PanelWidth { get; }

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

    /// <summary>Σ exp(logit - largest) of each row, kept by forward where the vocabulary is one chunk.</summary>
    public float* KeptSums { get; }

    public float* GradHidden { get; }

    public float* GradWeight { get; }

    public float* GradBias { get; }

    /// <summary>The chunk's matrix transposed, [dim, padded], in panels.</summary>
    public float* Matrix { get; }

    /// <summary>The chunk's matrix, [entries, dim], in panels; for backward.</summary>
    public float* MatrixRows { get; private set; }

    /// <summary>The hidden states, [rows, dim], in panels; for backward.</summary>
    public float* HiddenRows { get; private set; }

    /// <summary>What is added to the chunk's logits: the bias, and -infinity where there is no entry.</summary>
    public float* Offsets { get; }

    /// <summary>exp(logit - largest) of every row, [rows, stride], kept from forward to backward where the vocabulary is one chunk; else null.</summary>
    public float* Exponentials { get; }

    /// <summary>The chunk's logits of every row, then their gradients, [rows, stride].</summary>
    public float* Logits { get; }

    /// <summary>The largest logit of each row so far.</summary>
    public float* Maxima { get; }

    /// <summary>Σ exp(logit - largest) so far.</summary>
    public float* Sums { get; }

    public float* TargetLogits { get; }

    /// <summary>The loss's gradient over the number of rows.</summary>
    public float Share { get; set; }

    /// <summary>Columns of logits that are reckoned for so many entries: whole vectors.</summary>
    public static int PaddedSize(int entries) => (entries + Simd.Bits / 32 - 1) / (Simd.Bits / 32) * (Simd.Bits / 32);

    /// <summary>From a row of so many entries' logits to the next.</summary>
    public static int StrideOf(int entries) => PaddedSize(entries) + 16;

    /// <summary>Lays out a chunk of the matrix.</summary>
    public void Prepare(int chunk)
    {
        First = chunk * _chunkSize;
        Entries = Math.Min(_chunkSize, _vocabulary - First);
        MatrixProduct.PackTransposed(Entries, Dim, Weight + (long)First * Dim, Dim, Matrix, PanelWidth);
        if (MatrixRows != null)
            MatrixProduct.Pack(Entries, Dim, Weight + (long)First * Dim, Dim, MatrixRows, PanelWidth);
        var offsets = new Span<float>(Offsets, Padded);
        if (Bias == null)
            offsets[..Entries].Clear();
        else
            new Span<float>(Bias + First, Entries).CopyTo(offsets);
        offsets[Entries..].Fill(float.NegativeInfinity);
    }

    /// <summary>Lays out what only backward needs.</summary>
    public void PrepareBackward()
    {
        if (GradHidden != null)
            MatrixRows = Allocate((long)Math.Min(_chunkSize, _vocabulary) * Whole(Dim));
        if (GradWeight == null)
            return;
        HiddenRows = Allocate((long)Rows * Whole(Dim));
        MatrixProduct.Pack(Rows, Dim, Hidden, Dim, HiddenRows, PanelWidth);
    }

    public void Dispose()
    {
        foreach (var memory in new[] { (nint)MatrixRows, (nint)HiddenRows, (nint)Matrix, (nint)Offsets, _ownLogits ? (nint)Logits : 0, (nint)Maxima, (nint)Sums, (nint)TargetLogits })
            NativeMemory.Free((void*)memory);
    }

    /// <summary>Up to whole panels.</summary>
    private int Whole(int columns) => (columns + PanelWidth - 1) / PanelWidth * PanelWidth;

    private static float* Allocate(long count) => (float*)NativeMemory.Alloc((nuint)Math.Max(1, count), sizeof(float));
}
