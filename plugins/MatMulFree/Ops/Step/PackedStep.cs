using System.Runtime.InteropServices;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.MatMulFree.Ops.GatedHalves;
using Zoo.MatMulFree.Ops.Mlgru;
using Zoo.MatMulFree.Ops.PackedBitLinear;
using Zoo.MatMulFree.Ops.SwishNorm;
using Zoo.MatMulFree.Ops.TernaryMatmul;

namespace Zoo.MatMulFree.Ops.Step;

/// <summary>One token a sequence through all blocks on packed weights: each weight is read once, and nothing is allocated.</summary>
/// <remarks>
/// The rows of the very kernels that the ops have, one after the other in one call: so it gives the bits that the ops give. What it saves is the
/// way in and out of some 250 ops a token. README.md beside this file.
/// </remarks>
internal sealed unsafe class PackedStep : IDisposable
{
    /// <summary>What reports call it.</summary>
    public const string Name = "matmulfree_step";

    /// <summary>Dimensions of the recurrence at once: it keeps as many on the stack.</summary>
    private const int DimsOfPiece = 1024;

    private readonly int _batch, _dim, _inner, _intermediate;
    private readonly double _epsilon;
    private readonly QuantizedActivations _activations;
    private readonly float* _memory, _normed, _added, _stream, _input, _forget, _gate, _states, _mixed, _up, _halves;
    private readonly Action<int> _piece;
    private TernaryProduct _product;

    /// <param name="batch">Sequences.</param>
    /// <param name="dim">Of the residual stream.</param>
    /// <param name="inner">Channels of the token mixer.</param>
    /// <param name="intermediate">Channels of the channel mixer.</param>
    /// <param name="epsilon">ε of the blocks' norms.</param>
    /// <param name="codeBytes">Of all layers' codes.</param>
    public PackedStep(int batch, int dim, int inner, int intermediate, double epsilon, long codeBytes)
    {
        (_batch, _dim, _inner, _intermediate, _epsilon) = (batch, dim, inner, intermediate, epsilon);
        _activations = new QuantizedActivations(batch, Math.Max(Math.Max(dim, inner), intermediate), TernaryProduct.AreFar(codeBytes));
        _memory = (float*)NativeMemory.AlignedAlloc((nuint)(batch * (3L * dim + 5L * inner + 3L * intermediate) * sizeof(float)), 64);
        _normed = _memory;
        _added = _normed + (long)batch * dim;
        _stream = _added + (long)batch * dim;
        _input = _stream + (long)batch * dim;
        _forget = _input + (long)batch * inner;
        _gate = _forget + (long)batch * inner;
        _states = _gate + (long)batch * inner;
        _mixed = _states + (long)batch * inner;
        _up = _mixed + (long)batch * inner;
        _halves = _up + (long)batch * 2 * intermediate;
        _piece = i => _product.RunPiece(i);
    }

    /// <summary>Where the embedding of each sequence's token goes before <see cref="Run"/>, [batch, dim].</summary>
    public float* Embedded => _added;

    /// <summary>Runs the step.</summary>
    /// <param name="layers">The blocks.</param>
    /// <param name="finalNorm">Weight of the last norm, [dim].</param>
    /// <param name="hidden">Gets the hidden states, [batch, dim].</param>
    public void Run(ReadOnlySpan<StepLayer> layers, float* finalNorm, float* hidden)
    {
        var isFirst = true;
        foreach (ref readonly var layer in layers)
        {
            Normalise(layer.MixerNorm, isFirst, _normed);
            Multiply(layer.Input, _normed, _input);
            Multiply(layer.Forget, _normed, _forget);
            Multiply(layer.Gate, _normed, _gate);
            Recur(layer.Bound, layer.State);
            Simd.Run(new SwishNormForward { End = _batch, Dim = _inner, Epsilon = _epsilon, X = _gate, Gate = _states, Weight = layer.GateNorm, Y = _mixed });
            Multiply(layer.Output, _mixed, _added);
            Normalise(layer.ChannelNorm, false, _normed);
            Multiply(layer.Up, _normed, _up);
            GatedHalvesCpu.Run(_up, _intermediate, _batch, _halves);
            Multiply(layer.Down, _halves, _added);
            isFirst = false;
        }
        Normalise(finalNorm, isFirst, hidden);
        OpUsage.Record(Name, KernelChoice.Cpu);
    }

    public void Dispose()
    {
        _activations.Dispose();
        NativeMemory.AlignedFree(_memory);
    }

    /// <summary>Adds what the last mixer gave to the residual stream, which begins with the embedding, and normalises it.</summary>
    private void Normalise(float* weight, bool isFirst, float* target)
    {
        if (isFirst)
            new ReadOnlySpan<float>(_added, _batch * _dim).CopyTo(new Span<float>(_stream, _batch * _dim));
        RmsNormRows.Run(_batch, _dim, _epsilon, isFirst ? _stream : _added, isFirst ? null : _stream, weight, isFirst ? null : _stream, target);
    }

    private void Multiply(in PackedMatrix matrix, float* x, float* y)
    {
        _product = _activations.Multiply(x, _batch, matrix, y);
        if (WorkShare.Threads == 1 || _product.IsSmall)
            _product.Run(0, _product.Rows);
        else
            WorkShare.For(_product.Pieces, _piece);
    }

    private void Recur(float* bound, float* state)
    {
        var whole = new MlgruForward { Length = 1, Stride = _inner, Input = _input, Forget = _forget, Bound = bound, Initial = state, States = _states, Last = state };
        for (var batch = 0; batch < _batch; batch++)
        {
            for (var first = 0; first < _inner; first += DimsOfPiece)
                Simd.Run(whole.Piece(batch, first, Math.Min(DimsOfPiece, _inner - first)));
        }
    }
}
