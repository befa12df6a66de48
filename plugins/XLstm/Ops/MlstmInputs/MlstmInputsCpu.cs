using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.XLstm.Ops.MlstmInputs;

/// <summary>mLSTM's inputs in C#, sequence by sequence.</summary>
internal sealed unsafe class MlstmInputsCpu : OpKernel
{
    private const int WidestBlock = 64;
    private static readonly string[] Projections = ["q", "k", "v"];

    public override string Backend => KernelChoice.Cpu;

    public override string? Reject(OpCall call) => call.Size("K") > WidestBlock
        ? $"blocks of {call.Size("K")} channels are wider than the {WidestBlock} for which diagonals are a good form"
        : null;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var sizes = MlstmInputsSizes.Of(call);
        using var scratch = new Scratch(3L * sizes.BandSize + 3L * sizes.Padded + 3L * sizes.Gates * sizes.Padded);
        var memory = scratch.Start;
        var biases = memory + 3L * sizes.BandSize;
        for (var p = 0; p < 3; p++)
        {
            var weights = arrays["w" + Projections[p]].Float32;
            if (sizes.AreFours)
                Fours.Columns(sizes.Width, weights, memory + p * sizes.BandSize);
            else
                Bands.Pack(sizes, weights, memory + p * sizes.BandSize);
            Matrix.Rows.Load(arrays["b" + Projections[p]].Float32, 1, sizes.Width, biases + p * sizes.Padded, sizes.Padded);
        }
        float* inputWeight = arrays["wi"].Float32, forgetWeight = arrays["wf"].Float32;
        if (sizes.Padded != sizes.Width)
        {
            var padded = biases + 3L * sizes.Padded;
            sizes.PadGates(inputWeight, padded);
            sizes.PadGates(forgetWeight, padded + 3L * sizes.Heads * sizes.Padded);
            inputWeight = padded;
            forgetWeight = padded + 3L * sizes.Heads * sizes.Padded;
        }
        var whole = new MlstmInputsForward
        {
            Sizes = sizes,
            X = arrays["x"].Float32,
            Conv = arrays["conv"].Float32,
            InputWeight = inputWeight,
            InputBias = arrays["bi"].Float32,
            ForgetWeight = forgetWeight,
            ForgetBias = arrays["bf"].Float32,
            QueryBias = biases,
            KeyBias = biases + sizes.Padded,
            ValueBias = biases + 2 * sizes.Padded,
            QueryBands = memory,
            KeyBands = memory + sizes.BandSize,
            ValueBands = memory + 2 * sizes.BandSize,
            Q = arrays["q"].Float32,
            K = arrays["k"].Float32,
            V = arrays["v"].Float32,
            I = arrays["i"].Float32,
            F = arrays["f"].Float32,
        };
        WorkShare.For(sizes.Batch, i => Simd.Run(whole with { Sequence = i }));
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var sizes = MlstmInputsSizes.Of(call);
        var part = MlstmInputsBackward.PartSize(sizes);
        var gateSize = 3L * sizes.Heads * sizes.Padded;
        using var scratch = new Scratch(4L * sizes.BandSize + 2 * gateSize + Math.Max(1, sizes.Batch) * part);
        var memory = scratch.Start;
        var gateWeights = memory + 4L * sizes.BandSize;
        sizes.PadGates(arrays["wi"].Float32, gateWeights);
        sizes.PadGates(arrays["wf"].Float32, gateWeights + gateSize);
        var parts = gateWeights + 2 * gateSize;
        for (var p = 0; p < 3; p++)
        {
            var weights = arrays["w" + Projections[p]].Float32;
            if (sizes.AreFours)
            {
                Fours.Rows(sizes.Width, weights, memory + p * sizes.BandSize);
                continue;
            }
            Bands.Pack(sizes, weights, memory + 3L * sizes.BandSize);
            Bands.Transpose(sizes, memory + 3L * sizes.BandSize, memory + p * sizes.BandSize);
        }
        var whole = new MlstmInputsBackward
        {
            Sizes = sizes,
            X = arrays["x"].Float32,
            Conv = arrays["conv"].Float32,
            GateWeights = gateWeights,
            Q = arrays["q"].Float32,
            K = arrays["k"].Float32,
            V = arrays["v"].Float32,
            QueryBands = memory,
            KeyBands = memory + sizes.BandSize,
            ValueBands = memory + 2 * sizes.BandSize,
            GradQ = arrays.Gradient("q").Float32,
            GradK = arrays.Gradient("k").Float32,
            GradV = arrays.Gradient("v").Float32,
            GradI = arrays.Gradient("i").Float32,
            GradF = arrays.Gradient("f").Float32,
            GradX = arrays.Gradient("x").Float32,
            GradConv = arrays.Gradient("conv").Float32,
        };
        WorkShare.For(sizes.Batch, i => Simd.Run(whole with { Sequence = i, Part = parts + i * part }));
        for (var i = 1; i < sizes.Batch; i++)           // in order, so that threads change no bit
            Add(parts, parts + i * part, part);
        Finish(sizes, arrays, parts);
    }

    private static void Finish(MlstmInputsSizes sizes, KernelArrays arrays, float* total)
    {
        for (var p = 0; p < 3; p++)
        {
            var weight = arrays.Gradient("w" + Projections[p]);
            if (weight.IsPresent)
            {
                weight.Span.Clear();
                if (sizes.Batch > 0 && sizes.AreFours)
                    Fours.FromColumns(sizes.Width, total + p * sizes.BandSize, weight.Float32);
                else if (sizes.Batch > 0)
                    Bands.Unpack(sizes, total + p * sizes.BandSize, weight.Float32);
            }
            Give(arrays.Gradient("b" + Projections[p]), total + MlstmInputsBackward.Biases(sizes) + p * sizes.Padded);
        }
        float* weights = total + MlstmInputsBackward.WeightsOfGates(sizes), biases = total + MlstmInputsBackward.BiasesOfGates(sizes);
        GiveGates(arrays.Gradient("wi"), weights);
        GiveGates(arrays.Gradient("wf"), weights + 3L * sizes.Heads * sizes.Padded);
        Give(arrays.Gradient("bi"), biases);
        Give(arrays.Gradient("bf"), biases + sizes.Heads);

        void GiveGates(KernelArray target, float* from)
        {
            if (target.IsPresent && sizes.Batch > 0)
                Matrix.Rows.Store(from, 3 * sizes.Heads, sizes.Width, sizes.Padded, target.Float32);
            else
                Give(target, from);
        }

        void Give(KernelArray target, float* from)
        {
            if (!target.IsPresent)
                return;
            if (sizes.Batch > 0)
                new Span<float>(from, checked((int)target.Length)).CopyTo(target.Span);
            else
                target.Span.Clear();
        }
    }

    private static void Add(float* total, float* part, long count)
    {
        for (var i = 0L; i < count; i++)
            total[i] += part[i];
    }
}
