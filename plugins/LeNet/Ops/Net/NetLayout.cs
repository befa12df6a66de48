namespace Zoo.LeNet.Ops.Net;

/// <summary>
/// Where the kernel keeps parameters (and, in the same order, gradients and optimiser state) in one block of memory: 64-byte aligned parts, H3
/// and the outputs transposed, so that every inner loop runs along memory.
/// </summary>
internal static unsafe class NetLayout
{
    public const int Image = 256, ImageSide = 16;
    public const int Planes = 12, Taps = 25, SeenPlanes = 8;
    public const int H1Side = 8, H1Units = 64;        // of one plane
    public const int H2Side = 4, H2Units = 16;        // of one plane
    public const int H1All = Planes * H1Units, H2All = Planes * H2Units, H3All = 30, Outputs = 10;
    public const int H3Padded = 32, OutputsPadded = 16;

    public const int H1Weights = 0;                                            // [12, 25]
    public const int H1Biases = H1Weights + 304;                               // [12, 64]
    public const int H2Weights = H1Biases + H1All;                             // [12, 8, 25]
    public const int H2Biases = H2Weights + Planes * SeenPlanes * Taps;        // [12, 16]
    public const int H3Weights = H2Biases + H2All;                             // [30, 192], transposed
    public const int H3Biases = H3Weights + H3All * H2All;                     // [32]
    public const int OutputWeights = H3Biases + H3Padded;                      // [10, 32], transposed
    public const int OutputBiases = OutputWeights + Outputs * H3Padded;        // [16]
    public const int Length = OutputBiases + OutputsPadded;

    /// <summary>The net's parameters in the op's order: H1w, H1b, H2w, H2b, H3w, H3b, outw, outb.</summary>
    public static readonly string[] Names = ["H1w", "H1b", "H2w", "H2b", "H3w", "H3b", "outw", "outb"];

    /// <summary>First H1 plane that each half of a group of H2 planes sees; a half is four planes.</summary>
    public static ReadOnlySpan<int> SeenFrom => [0, 4, 4, 8, 0, 8];

    /// <summary>From the checkpoint's tensors into the block; padding becomes zero.</summary>
    public static void Pack(ReadOnlySpan<nint> parameters, float* block)
    {
        new Span<float>(block, Length).Clear();
        Copy((float*)parameters[0], block + H1Weights, Planes * Taps);
        Copy((float*)parameters[1], block + H1Biases, H1All);
        Copy((float*)parameters[2], block + H2Weights, Planes * SeenPlanes * Taps);
        Copy((float*)parameters[3], block + H2Biases, H2All);
        float* h3 = (float*)parameters[4], outputs = (float*)parameters[6];
        for (var i = 0; i < H2All; i++)
        {
            for (var j = 0; j < H3All; j++)
                block[H3Weights + j * H2All + i] = h3[i * H3All + j];
        }
        Copy((float*)parameters[5], block + H3Biases, H3All);
        for (var j = 0; j < H3All; j++)
        {
            for (var k = 0; k < Outputs; k++)
                block[OutputWeights + k * H3Padded + j] = outputs[j * Outputs + k];
        }
        Copy((float*)parameters[7], block + OutputBiases, Outputs);
    }

    /// <summary>From the block into tensors of the checkpoint's shapes; one that is zero is left out.</summary>
    public static void Unpack(float* block, ReadOnlySpan<nint> parameters)
    {
        Copy(block + H1Weights, (float*)parameters[0], Planes * Taps);
        Copy(block + H1Biases, (float*)parameters[1], H1All);
        Copy(block + H2Weights, (float*)parameters[2], Planes * SeenPlanes * Taps);
        Copy(block + H2Biases, (float*)parameters[3], H2All);
        float* h3 = (float*)parameters[4], outputs = (float*)parameters[6];
        for (var i = 0; i < H2All && h3 != null; i++)
        {
            for (var j = 0; j < H3All; j++)
                h3[i * H3All + j] = block[H3Weights + j * H2All + i];
        }
        Copy(block + H3Biases, (float*)parameters[5], H3All);
        for (var j = 0; j < H3All && outputs != null; j++)
        {
            for (var k = 0; k < Outputs; k++)
                outputs[j * Outputs + k] = block[OutputWeights + k * H3Padded + j];
        }
        Copy(block + OutputBiases, (float*)parameters[7], Outputs);
    }

    private static void Copy(float* source, float* target, int count)
    {
        if (target != null)
            new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(target, count));
    }
}
