using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.XLstm.Ops.Mlstm;

/// <summary>mLSTM in C#: chunkwise, every head of every sequence on its own; a single step in a form of its own.</summary>
internal sealed unsafe class MlstmCpu : OpKernel
{
    private const string Denominators = "denominators";
    private const string Products = "products";
    private const string States = "states";
    private const string Norms = "norms";
    private const string Maxima = "maxima";

    public override string Backend => KernelChoice.Cpu;

    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call)
    {
        var sizes = MlstmSizes.Of(call);
        return
        [
            new(Denominators, sizes.Sequences, sizes.Length),
            new(Products, sizes.Sequences, sizes.Length),
            new(States, sizes.Sequences, sizes.ChunkCount, sizes.StateSize),
            new(Norms, sizes.Sequences, sizes.ChunkCount, sizes.KeyDim),
            new(Maxima, sizes.Sequences, sizes.ChunkCount) { Dtype = TorchSharp.torch.ScalarType.Float64 },
        ];
    }

    public override bool ReadsOutput(string output) => output == "h";

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var whole = new MlstmForward
        {
            Sizes = MlstmSizes.Of(call),
            Epsilon = Mlstm.Epsilon(call.Options),
            Q = arrays["q"].Float32,
            K = arrays["k"].Float32,
            V = arrays["v"].Float32,
            I = arrays["i"].Float32,
            F = arrays["f"].Float32,
            C0 = arrays["c0"].Float32,
            N0 = arrays["n0"].Float32,
            M0 = arrays["m0"].Float32,
            H = arrays["h"].Float32,
            C = arrays["c"].Float32,
            N = arrays["n"].Float32,
            M = arrays["m"].Float32,
            Denominators = arrays[Denominators].Float32,
            Products = arrays[Products].Float32,
            States = arrays[States].Float32,
            Norms = arrays[Norms].Float32,
            Maxima = (double*)arrays[Maxima].Pointer,
        };
        if (whole.Sizes.Length == 1 && !call.NeedsGradient)
            WorkShare.For(whole.Sizes.Sequences, i => Simd.Run(new MlstmStep { Call = whole.Piece(i) }));
        else
            WorkShare.For(whole.Sizes.Sequences, i => Simd.Run(whole.Piece(i)));
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var whole = new MlstmBackward
        {
            Sizes = MlstmSizes.Of(call),
            Epsilon = Mlstm.Epsilon(call.Options),
            HasInitial = call.Has("c0") || call.Has("n0"),
            Q = arrays["q"].Float32,
            K = arrays["k"].Float32,
            V = arrays["v"].Float32,
            I = arrays["i"].Float32,
            F = arrays["f"].Float32,
            H = arrays["h"].Float32,
            Denominators = arrays[Denominators].Float32,
            Products = arrays[Products].Float32,
            States = arrays[States].Float32,
            Norms = arrays[Norms].Float32,
            Maxima = (double*)arrays[Maxima].Pointer,
            GradH = arrays.Gradient("h").Float32,
            GradC = arrays.Gradient("c").Float32,
            GradN = arrays.Gradient("n").Float32,
            GradM = arrays.Gradient("m").Float32,
            GradQ = arrays.Gradient("q").Float32,
            GradK = arrays.Gradient("k").Float32,
            GradV = arrays.Gradient("v").Float32,
            GradI = arrays.Gradient("i").Float32,
            GradF = arrays.Gradient("f").Float32,
            GradC0 = arrays.Gradient("c0").Float32,
            GradN0 = arrays.Gradient("n0").Float32,
            GradM0 = arrays.Gradient("m0").Float32,
        };
        WorkShare.For(whole.Sizes.Sequences, i => Simd.Run(whole.Piece(i)));
    }
}
