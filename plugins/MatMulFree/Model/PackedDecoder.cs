using Zoo.Kernels;
using Zoo.MatMulFree.Ops.Step;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Model;

/// <summary>Runs steps on packed weights: hands the kernel the memory of the model and of the state.</summary>
internal sealed unsafe class PackedDecoder : IDisposable
{
    private readonly int _batch, _dim;
    private readonly PackedStep _step;
    private readonly StepLayer[] _layers;
    private readonly Tensor? _bounds;

    /// <param name="config">Sizes.</param>
    /// <param name="blocks">Packed; asked once where their memory is, which stays there.</param>
    /// <param name="batch">Sequences.</param>
    /// <param name="bounds">Of the forget gates, [layer, inner]; the first layer's are not used. Taken over.</param>
    public PackedDecoder(MatMulFreeConfig config, IEnumerable<MatMulFreeBlock> blocks, int batch, Tensor? bounds)
    {
        (_batch, _dim) = (batch, config.ModelDim);
        _layers = [.. blocks.Select(b => b.Describe())];
        _step = new PackedStep(batch, config.ModelDim, config.InnerDim, config.IntermediateDim, config.NormEpsilon, _layers.Sum(l => l.CodeBytes));
        _bounds = bounds?.DetachFromDisposeScope();
        for (var i = 1; i < _layers.Length && _bounds is not null; i++)
            _layers[i].Bound = KernelArray.Of(_bounds).Float32 + i * _bounds.size(1);
    }

    /// <summary>Why a step cannot go this way, and goes through the layers' ops: null where it can.</summary>
    public static string? WhyNot(MatMulFreeConfig config, KernelChoice kernels, Device device) =>
        device.type != TorchSharp.DeviceType.CPU ? "it runs on the CPU"
        : config.UseShortConv ? "short convolutions are not in it"
        : Parts.Any(op => kernels.For(op) is not (null or KernelChoice.Cpu)) ? "another backend was named"
        : null;

    private static readonly string[] Parts = ["packed_bitlinear", "mlgru", "rms_norm", "rms_norm_swish_gate", "swiglu_halves"];

    /// <summary>One token a sequence.</summary>
    /// <param name="ids">int64 [batch].</param>
    /// <param name="embedding">[vocabulary, dim], float32 or bfloat16.</param>
    /// <param name="norm">The last norm's weight.</param>
    /// <param name="state">Changed.</param>
    /// <returns>[batch, dim].</returns>
    /// <exception cref="ShapeException">The ids are as many as the state has sequences, and in the vocabulary.</exception>
    public Tensor Run(Tensor ids, Tensor embedding, Tensor norm, MatMulFreeState state)
    {
        Shape.Require(ids, "ids", _batch);
        Embed(ids, embedding);
        for (var i = 0; i < _layers.Length; i++)
            _layers[i].State = KernelArray.Of(state.Layers[i].Hidden).Float32;
        var hidden = empty(_batch, _dim);
        _step.Run(_layers, KernelArray.Of(norm).Float32, KernelArray.Of(hidden).Float32);
        GC.KeepAlive(state);
        return hidden;
    }

    public void Dispose()
    {
        _step.Dispose();
        _bounds?.Dispose();
    }

    private void Embed(Tensor ids, Tensor embedding)
    {
        using var contiguous = ids.contiguous();
        var (numbers, table, vocabulary) = ((nint)KernelArray.Of(contiguous).Int64, KernelArray.Of(embedding).Pointer, embedding.size(0));
        for (var i = 0; i < _batch; i++)
        {
            var id = ((long*)numbers)[i];
            if (id < 0 || id >= vocabulary)
                throw new ShapeException($"Token id {id} is not in the vocabulary of {vocabulary}.");
            var target = _step.Embedded + (long)i * _dim;
            if (embedding.dtype == ScalarType.BFloat16)
            {
                var row = (ushort*)table + id * _dim;
                for (var k = 0; k < _dim; k++)
                    target[k] = BitConverter.Int32BitsToSingle(row[k] << 16);
            }
            else
            {
                new ReadOnlySpan<float>((float*)table + id * _dim, _dim).CopyTo(new Span<float>(target, _dim));
            }
        }
    }
}
