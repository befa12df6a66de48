using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>Cosines and sines of the rotary angles, position × θ^(-2i/dim), made when first asked for.</summary>
/// <remarks>
/// Frequencies and angles are rounded to float32 as in Hugging Face's code: at position 2,000 that moves an angle by up to 1e-4, and published
/// weights were trained with it.
/// </remarks>
/// <param name="dim">Width of a head.</param>
/// <param name="theta">θ.</param>
/// <param name="scaling">How frequencies are stretched; null for not at all.</param>
/// <param name="longest">Positions that are asked for at most.</param>
internal sealed class RotaryTable(int dim, double theta, RopeScaling? scaling, int longest)
{
    private (Tensor Cos, Tensor Sin)? _tables;

    /// <summary>Of positions <paramref name="first"/> and on, [count, dim / 2]; the caller's scope frees the views.</summary>
    public (Tensor Cos, Tensor Sin) At(long first, long count, Tensor like)
    {
        if (_tables is not { } tables || tables.Cos.dtype != like.dtype || tables.Cos.device != like.device)
        {
            _tables?.Cos.Dispose();
            _tables?.Sin.Dispose();
            _tables = tables = (Table(Math.Cos, like), Table(Math.Sin, like));
        }
        return (tables.Cos.narrow(0, first, count), tables.Sin.narrow(0, first, count));
    }

    private Tensor Table(Func<double, double> function, Tensor like)
    {
        var half = dim / 2;
        var values = new float[longest * half];
        for (var i = 0; i < half; i++)
        {
            var frequency = 1 / (float)Math.Pow(theta, (float)(2 * i) / dim);
            frequency = scaling?.Scaled(frequency) ?? frequency;
            for (var position = 0; position < longest; position++)
                values[position * half + i] = (float)function(position * frequency);
        }
        using var noGradient = no_grad();
        return tensor(values, [longest, half], dtype: like.dtype, device: like.device).DetachFromDisposeScope();
    }
}
