using System.Runtime.InteropServices;
using static Zoo.LeNet.Ops.Net.NetLayout;

namespace Zoo.LeNet.Ops.Net;

/// <summary>Scratch memory for one example: activations, their columns for the shared weights, and gradients on the way back.</summary>
/// <remarks>
/// "Columns" are the 5 × 5 surroundings of each unit, once with units along memory (for the forward pass) and once with taps along memory, 25 of
/// them padded to 32 (for the gradient of the weights).
/// </remarks>
internal sealed unsafe class NetWorkspace : IDisposable
{
    public const int PaddedTaps = 32;
    public const int Border = 2;
    public const int PaddedImageSide = ImageSide + 2 * Border;
    public const int PaddedH1Side = H1Side + 2 * Border;
    public const int HalfH1Side = PaddedH1Side / 2;
    public const int PaddedImage = PaddedImageSide * PaddedImageSide;
    public const int PaddedH1 = PaddedH1Side * PaddedH1Side;
    private const int Slack = 64;   // vectors may read or write past the last value of a row
    private readonly float* _memory;
    private int _used;

    public NetWorkspace()
    {
        const int total = 3 * PaddedImage + Taps * H1Units + H1Units * PaddedTaps + 3 * H1All + 2 * Planes * PaddedH1
            + 2 * Planes * Taps * H2Units + H2Units * Planes * PaddedTaps + 3 * H2All + 2 * H3Padded + 3 * OutputsPadded
            + Planes * PaddedTaps + Planes * SeenPlanes * PaddedTaps + Taps * H1Units + 24 * (Slack + 16);
        _memory = (float*)NativeMemory.AlignedAlloc(total * sizeof(float), 64);
        new Span<float>(_memory, total).Clear();
        Padded = Take(PaddedImage);
        Split = Take(PaddedImage);
        ImageColumns = Take(Taps * H1Units);
        ImageRows = Take(H1Units * PaddedTaps);
        H1 = Take(H1All);
        H1Padded = Take(Planes * PaddedH1);
        H1Split = Take(Planes * PaddedH1);
        H1Columns = Take(Planes * Taps * H2Units);
        H1Rows = Take(H2Units * Planes * PaddedTaps);
        H2 = Take(H2All);
        Kept = Take(H2All);
        H3 = Take(H3Padded);
        Scores = Take(OutputsPadded);
        ScoreGradient = Take(OutputsPadded);
        H3Gradient = Take(H3Padded);
        H2Gradient = Take(H2All);
        H1Gradient = Take(H1All);
        H1ColumnGradient = Take(Planes * Taps * H2Units);
        ImageColumnGradient = Take(Taps * H1Units);
        PaddedGradient = Take(PaddedImage);
        H1WeightGradient = Take(Planes * PaddedTaps);
        H2WeightGradient = Take(Planes * SeenPlanes * PaddedTaps);
    }

    /// <summary>The image with its border, [20, 20].</summary>
    public float* Padded { get; }

    /// <summary>A padded plane with its even and odd columns apart.</summary>
    public float* Split { get; }

    /// <summary>[tap 25, unit 64].</summary>
    public float* ImageColumns { get; }

    /// <summary>[unit 64, tap 32].</summary>
    public float* ImageRows { get; }

    /// <summary>After the activation, [plane 12, unit 64].</summary>
    public float* H1 { get; }

    /// <summary>With its border, [plane 12, 12, 12].</summary>
    public float* H1Padded { get; }

    /// <summary>The same with even columns first and odd ones after them, [plane 12, parity 2, row 12, 6].</summary>
    public float* H1Split { get; }

    /// <summary>[plane 12, tap 25, unit 16].</summary>
    public float* H1Columns { get; }

    /// <summary>[unit 16, plane 12, tap 32].</summary>
    public float* H1Rows { get; }

    /// <summary>After the activation, before dropout, [plane 12, unit 16].</summary>
    public float* H2 { get; }

    /// <summary>Factors of dropout, [192].</summary>
    public float* Kept { get; }

    /// <summary>After the activation, [32], the last two 0.</summary>
    public float* H3 { get; }

    /// <summary>Outputs, after tanh where the form has it, [16].</summary>
    public float* Scores { get; }

    /// <summary>[16], the last six 0.</summary>
    public float* ScoreGradient { get; }

    public float* H3Gradient { get; }

    public float* H2Gradient { get; }

    public float* H1Gradient { get; }

    public float* H1ColumnGradient { get; }

    public float* ImageColumnGradient { get; }

    public float* PaddedGradient { get; }

    /// <summary>[plane 12, tap 32].</summary>
    public float* H1WeightGradient { get; }

    /// <summary>[plane 12, seen plane 8, tap 32].</summary>
    public float* H2WeightGradient { get; }

    /// <summary>What lies around H1's planes now.</summary>
    public float HiddenBorder { get; private set; } = float.NaN;

    /// <summary>Puts <paramref name="border"/> around H1's planes; what is inside is written for every image.</summary>
    public void SetHiddenBorder(float border)
    {
        new Span<float>(H1Padded, Planes * PaddedH1).Fill(border);
        new Span<float>(H1Split, Planes * PaddedH1).Fill(border);
        HiddenBorder = border;
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    private float* Take(int count)
    {
        var start = _memory + _used;
        _used += (count + Slack + 15) / 16 * 16;
        return start;
    }
}
