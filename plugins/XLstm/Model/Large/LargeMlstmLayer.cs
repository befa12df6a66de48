using System.Text.Json.Nodes;
using TorchSharp;
using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.XLstm.Config;
using Zoo.XLstm.Ops.HeadNorm;
using Zoo.XLstm.Ops.Mlstm;
using static TorchSharp.torch;

namespace Zoo.XLstm.Model.Large;

/// <summary>The mLSTM layer of the large model: dense projections, capped gates, norm by head, sigmoid output gate.</summary>
internal sealed class LargeMlstmLayer : nn.Module
{
    [ComponentName(Name = "q")]
    private readonly Weights? _query;

    [ComponentName(Name = "k")]
    private readonly Weights? _key;

    [ComponentName(Name = "v")]
    private readonly Weights? _value;

    [ComponentName(Name = "ogate_preact")]
    private readonly Weights? _outputGate;

    [ComponentName(Name = "igate_preact")]
    private readonly Weights? _inputGate;

    [ComponentName(Name = "fgate_preact")]
    private readonly Weights? _forgetGate;

    [ComponentName(Name = "qkv_opreact")]
    private readonly Weights? _fused;

    [ComponentName(Name = "ifgate_preact")]
    private readonly Weights? _fusedGates;

    [ComponentName(Name = "multihead_norm")]
    private readonly Weights _norm;

    [ComponentName(Name = "out_proj")]
    private readonly Weights _output;

    private readonly XLstmLargeConfig _config;
    private readonly BuildContext _context;
    private readonly OpOptions _normOptions;

    public LargeMlstmLayer(XLstmLargeConfig config, BuildContext context)
        : base(nameof(LargeMlstmLayer))
    {
        _config = config;
        _context = context;
        _normOptions = new(new JsonObject { ["eps"] = config.NormEpsilon, ["gate_act"] = "sigmoid" });
        int dim = config.ModelDim, queries = config.QueryDim, values = config.ValueDim, heads = config.HeadCount;
        if (config.WeightMode == WeightMode.Single)
        {
            _query = Weights.Uniform("q", config.Bias, queries, dim);
            _key = Weights.Uniform("k", config.Bias, queries, dim);
            _value = Weights.Uniform("v", config.Bias, values, dim);
            _outputGate = Weights.Uniform("ogate_preact", config.Bias, values, dim);
            _inputGate = Weights.Uniform("igate_preact", hasBias: true, heads, dim);
            _forgetGate = Weights.Uniform("fgate_preact", hasBias: true, heads, dim);
        }
        else
        {
            _fused = Weights.Uniform("qkv_opreact", config.Bias, 2 * queries + 2 * values, dim);
            _fusedGates = Weights.Uniform("ifgate_preact", hasBias: true, 2 * heads, dim);
        }
        _norm = new Weights("multihead_norm", ones(values), config.Bias ? zeros(values) : null);
        _output = Weights.Uniform("out_proj", config.Bias, dim, values);
        RegisterComponents();
    }

    public BlockState NewState(int batch)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        long heads = _config.HeadCount, keys = _config.QueryDim / heads, values = _config.ValueDim / heads;
        Tensor Empty(params long[] shape) => zeros(shape, ScalarType.Float32, _norm.Weight.device);
        return new BlockState(Empty(batch, heads, keys, values), Empty(batch, heads, keys), Empty(batch, heads, 1));
    }

    /// <param name="x">[batch, time, dim].</param>
    /// <param name="state">Changed to what is after; null for none.</param>
    /// <returns>[batch, time, dim].</returns>
    public Tensor Forward(Tensor x, BlockState? state)
    {
        using var scope = NewDisposeScope();
        var (q, k, v, o) = Projections(x);
        var (i, f) = Gates(x);
        var (h, after) = Mlstm.Apply(
            Heads(q), Heads(k), Heads(v), i.transpose(1, 2), f.transpose(1, 2), state is null ? null : (state[0], state[1], state[2]), _config.Epsilon, _context.Kernels);
        state?.Replace(after.C, after.N, after.M);
        Tensor y;
        if (_norm.Bias is null)
        {
            y = HeadNorm.Apply(h, _norm.Weight, _normOptions, _context.Kernels, gate: o);
        }
        else
        {
            // A bias, as no published model has it, comes between the norm and the gate.
            y = (HeadNorm.Apply(h, _norm.Weight, _normOptions, _context.Kernels) + _norm.Bias) * o.sigmoid();
        }
        return Product(y, _output.Weight, _output.Bias, _context.Dtype).MoveToOuterDisposeScope();
    }

    /// <summary>cap · tanh(x / cap): the identity near 0, bounded far from it.</summary>
    internal static Tensor SoftCap(Tensor x, double? cap)
    {
        if (cap is not { } bound)
            return x;
        using Scalar factor = bound;
        return (x / factor).tanh() * factor;
    }

    private Tensor Product(Tensor x, Tensor weight, Tensor? bias, ScalarType arithmetic) => MixedPrecision.Linear(x, weight, bias, arithmetic, _context.Kernels);

    private Tensor Heads(Tensor x) => x.reshape(x.size(0), x.size(1), _config.HeadCount, x.size(2) / _config.HeadCount).transpose(1, 2);

    /// <summary>Queries and keys in float32 whatever the run's arithmetic: rounded to bfloat16 they move gradients by a quarter of their size.</summary>
    private (Tensor Q, Tensor K, Tensor V, Tensor O) Projections(Tensor x)
    {
        int queries = _config.QueryDim, values = _config.ValueDim;
        if (_fused is null)
        {
            return (Product(x, _query!.Float32, _query.Bias, ScalarType.Float32), Product(x, _key!.Float32, _key.Bias, ScalarType.Float32),
                Product(x, _value!.Weight, _value.Bias, _context.Dtype), Product(x, _outputGate!.Weight, _outputGate.Bias, _context.Dtype));
        }
        Tensor Part(Tensor weight, int first, int count, ScalarType arithmetic) =>
            Product(x, weight.narrow(0, first, count), _fused.Bias?.narrow(0, first, count), arithmetic);
        var exact = _fused.Float32;
        return (Part(exact, 0, queries, ScalarType.Float32), Part(exact, queries, queries, ScalarType.Float32),
            Part(_fused.Weight, 2 * queries, values, _context.Dtype), Part(_fused.Weight, 2 * queries + values, values, _context.Dtype));
    }

    /// <summary>Both gates before activation, capped, [batch, time, head]; in float32, whatever the run's arithmetic.</summary>
    private (Tensor I, Tensor F) Gates(Tensor x)
    {
        Tensor Capped(Weights weights) => SoftCap(nn.functional.linear(x, weights.Float32, weights.Bias), _config.GateCap);
        if (_fusedGates is null)
            return (Capped(_inputGate!), Capped(_forgetGate!));
        var parts = Capped(_fusedGates).chunk(2, 2);
        return (parts[0], parts[1]);
    }
}
