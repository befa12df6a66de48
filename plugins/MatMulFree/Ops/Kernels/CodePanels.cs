using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>
/// Ternary weights as codes of a byte, laid out for products: panels of as many outputs as a vector has integers, and in a panel four
/// neighbouring inputs of each output together. Owns its memory, a byte a weight.
/// </summary>
internal sealed unsafe class CodePanels : IDisposable
{
    private byte* _codes;

    private CodePanels(int inputs, int outputs, int width, float scale)
    {
        (Inputs, Outputs, Width, Scale) = (inputs, outputs, width, scale);
        Groups = (inputs + 3) / 4;
        _codes = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(1, (long)PanelCount * PanelBytes), 64);
    }

    /// <summary>Numbers of a row of activations.</summary>
    public int Inputs { get; }

    public int Outputs { get; }

    /// <summary>Outputs of a panel.</summary>
    public int Width { get; }

    /// <summary>w_scale.</summary>
    public float Scale { get; }

    /// <summary>Fours of inputs; the last one may be filled up.</summary>
    public int Groups { get; }

    public int PanelCount => (Outputs + Width - 1) / Width;

    public long PanelBytes => (long)Groups * Width * 4;

    public byte* Panel(int index) => _codes + index * PanelBytes;

    /// <summary>Rounds weights, [output, input], and lays them out.</summary>
    public static CodePanels Of(float* weight, int outputs, int inputs)
    {
        var panels = new CodePanels(inputs, outputs, Simd.Bits / 32, WeightScale.Of(weight, (long)outputs * inputs));
        try
        {
            WorkShare.For(panels.PanelCount, index => panels.Fill(weight, index));
        }
        catch
        {
            panels.Dispose();
            throw;
        }
        return panels;
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_codes);
        _codes = null;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Fill(float* weight, int index)
    {
        var (inputs, width, threshold) = (Inputs, Width, WeightScale.Threshold(Scale));
        var panel = (uint*)Panel(index);
        var last = stackalloc float[4];
        for (var column = 0; column < width; column++)
        {
            var output = index * width + column;
            var target = panel + column;
            if (output >= Outputs)
            {
                for (var group = 0; group < Groups; group++, target += width)
                    *target = 0;                                   // reckoned, and never looked at
                continue;
            }
            var row = weight + (long)output * inputs;
            var i = 0;
            for (; i + 4 <= inputs; i += 4, target += width)
                *target = TernaryCodes.Four(row + i, threshold);
            if (i == inputs)
                continue;
            new Span<float>(last, 4).Clear();
            new Span<float>(row + i, inputs - i).CopyTo(new Span<float>(last, 4));
            *target = TernaryCodes.Four(last, threshold);
        }
    }
}
