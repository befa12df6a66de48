using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.XLstm.Ops.Mlstm;

/// <summary>mLSTM on a card: chunks beside each other on tensor cores, the states carried between them; a single step in a kernel of its own.</summary>
internal sealed class MlstmCuda : CudaKernel
{
    private const string Denominators = "denominators";
    private const string Products = "products";
    private const string States = "states";
    private const int Tile = 64;
    private const int TileThreads = 128;
    private const int Threads = 256;
    private const int Lanes = 32;

    /// <summary>How much memory states and scores may take at once where no backward needs them all.</summary>
    private const long SegmentBytes = 64L << 20;

    // What a step has in the arrays that the kernels "gates" and "division" fill: the enumerations of Mlstm.cu.
    private const int GateArrays = 8;
    private const int StateWeight = 4;
    private const int KeyWeight = 5;
    private const int DivisionArrays = 6;
    private const int QueryWeight = 2;
    private const int NormWeight = 3;

    public override string SourceName => "Mlstm.cu";

    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call)
    {
        var sizes = Sizes(call);
        return
        [
            new(Denominators, sizes.Sequences, sizes.Length),
            new(Products, sizes.Sequences, sizes.Length),
            new(States, sizes.Sequences, sizes.ChunkCount, StateSize(sizes)),
        ];
    }

    protected override string? RejectCall(OpCall call, ICudaDevice device) =>
        Mlstm.ChunkSize(call.Options) > Tile ? $"chunk_size is {Mlstm.ChunkSize(call.Options)}; the cuda backend takes at most {Tile}"
        : call.Size("B") * call.Size("H") > ushort.MaxValue
            ? $"batch times heads is {call.Size("B") * call.Size("H")}; the cuda backend takes at most {ushort.MaxValue}"
        : Tiles(call.Size("D")) * Tiles(call.Size("E")) > ushort.MaxValue
            ? $"a state is {call.Size("D")} × {call.Size("E")}; the cuda backend takes at most {ushort.MaxValue} tiles of {Tile} × {Tile}"
        : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var sizes = Sizes(call);
        if (sizes.Length == 1 && !call.NeedsGradient)
        {
            cuda.Launch(
                "mlstm_step", new CudaSize(CudaSize.Pieces(sizes.ValueDim, Lanes), sizes.Sequences), Threads, 0,
                arrays["q"], arrays["k"], arrays["v"], arrays["i"], arrays["f"], arrays["c0"], arrays["n0"], arrays["m0"],
                arrays["h"], arrays["c"], arrays["n"], arrays["m"], KeyScale(sizes), Mlstm.Epsilon(call.Options), sizes.KeyDim, sizes.ValueDim);
            return;
        }
        var (gates, decays) = Gates(arrays, cuda, sizes, arrays["m"]);
        KernelArray denominators = arrays[Denominators], products = arrays[Products], states = arrays[States];
        var segment = Math.Max(1, sizes.ChunkCount);
        if (!states.IsPresent)          // no backward will follow
        {
            var chunkBytes = Math.Max(1, sizes.Sequences * (StateSize(sizes) + (Tile * Tile)) * sizeof(float));
            segment = (int)Math.Clamp(SegmentBytes / chunkBytes, 1, segment);
            states = cuda.Scratch(Math.Max(1, sizes.Sequences * segment * StateSize(sizes)));
            (denominators, products) = (cuda.Scratch(Steps(sizes)), cuda.Scratch(Steps(sizes)));
        }
        var scores = cuda.Scratch(Math.Max(1, (long)sizes.Sequences * segment * Tile * Tile));
        for (var first = 0; first == 0 || first < sizes.ChunkCount; first += segment)       // once without time, too: the state comes out as it went in
        {
            var (start, count) = (first * sizes.Chunk, Math.Min(segment, sizes.ChunkCount - first));
            var time = Time(sizes, sizes.Length - start, count);
            KernelArray q = From(arrays["q"], start * sizes.KeyDim), k = From(arrays["k"], start * sizes.KeyDim), v = From(arrays["v"], start * sizes.ValueDim);
            var keyWeights = Row(gates, sizes, KeyWeight, start);
            cuda.Launch("mlstm_outer", Grid(sizes, count, StateTiles(sizes)), TileThreads, 0, [k, v, keyWeights, keyWeights, states, .. time]);
            Carry(
                cuda, sizes, states, From(decays, first), first == 0 ? arrays["c0"] : arrays["c"], first == 0 ? arrays["n0"] : arrays["n"],
                arrays["c"], arrays["n"], count, backwards: false);
            cuda.Launch(
                "mlstm_scores", Grid(sizes, count, 1), TileThreads, 0,
                [q, k, From(gates, start), states, scores, From(denominators, start), From(products, start), KeyScale(sizes), Mlstm.Epsilon(call.Options), .. time]);
            cuda.Launch(
                "mlstm_outputs", Grid(sizes, count, Tiles(sizes.ValueDim)), TileThreads, 0,
                [
                    q, states, Row(gates, sizes, StateWeight, start), scores, v, From(denominators, start), From(arrays["h"], start * sizes.ValueDim), .. time,
                ]);
        }
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var sizes = Sizes(call);
        var (count, time) = (sizes.ChunkCount, Time(sizes, sizes.Length, sizes.ChunkCount));
        KernelArray q = arrays["q"], k = arrays["k"], v = arrays["v"], states = arrays[States], gradH = Or(arrays.Gradient("h"), arrays["h"].Length);
        if (!arrays.Gradient("h").IsPresent)
            cuda.Clear(gradH);
        var (gates, decays) = Gates(arrays, cuda, sizes, last: default);
        var division = cuda.Scratch(DivisionArrays * Steps(sizes));
        cuda.Launch(
            "mlstm_division", CudaSize.Pieces(arrays[Products].Length, Threads / Lanes), Threads, 0,
            arrays["h"], gradH, gates, arrays[Denominators], arrays[Products], division, Mlstm.Epsilon(call.Options), arrays[Products].Length, sizes.ValueDim);
        KernelArray queryWeights = Row(division, sizes, QueryWeight, 0), normWeights = Row(division, sizes, NormWeight, 0), keyWeights = Row(gates, sizes, KeyWeight, 0);
        var gradStates = cuda.Scratch(Math.Max(1, states.Length));
        cuda.Launch("mlstm_outer", Grid(sizes, count, StateTiles(sizes)), TileThreads, 0, [q, gradH, queryWeights, normWeights, gradStates, .. time]);
        KernelArray gradC0 = Or(arrays.Gradient("c0"), arrays["c"].Length), gradN0 = Or(arrays.Gradient("n0"), arrays["n"].Length);
        Carry(cuda, sizes, gradStates, decays, arrays.Gradient("c"), arrays.Gradient("n"), gradC0, gradN0, count, backwards: true);
        var squares = Math.Max(1, (long)sizes.Sequences * count * Tile * Tile);
        KernelArray scores = cuda.Scratch(squares), gradScores = cuda.Scratch(squares), ofInput = cuda.Scratch(Steps(sizes));
        cuda.Launch(
            "mlstm_grad_scores", Grid(sizes, count, 1), TileThreads, 0,
            [q, k, v, gradH, gates, division, scores, gradScores, ofInput, KeyScale(sizes), .. time]);
        KernelArray gradI = arrays.Gradient("i"), gradF = arrays.Gradient("f"), gradM0 = arrays.Gradient("m0");
        var ofGates = gradI.IsPresent || gradF.IsPresent || gradM0.IsPresent;
        var keyTiles = Tiles(sizes.KeyDim);
        var inner = ofGates ? cuda.Scratch(keyTiles * Steps(sizes)) : default;
        if (arrays.Gradient("q").IsPresent)
        {
            cuda.Launch(
                "mlstm_grad_q", Grid(sizes, count, keyTiles), TileThreads, 0,
                [gradH, states, queryWeights, normWeights, gradScores, k, arrays.Gradient("q"), .. time]);
        }
        if (arrays.Gradient("k").IsPresent || ofGates)
        {
            cuda.Launch(
                "mlstm_grad_k", Grid(sizes, count, keyTiles), TileThreads, 0,
                [v, gradStates, keyWeights, gradScores, q, ofGates ? k : default, arrays.Gradient("k"), inner, .. time]);
        }
        if (arrays.Gradient("v").IsPresent)
        {
            cuda.Launch(
                "mlstm_grad_v", Grid(sizes, count, Tiles(sizes.ValueDim)), TileThreads, 0, [k, gradStates, keyWeights, scores, gradH, arrays.Gradient("v"), .. time]);
        }
        if (!ofGates)
            return;
        var scales = cuda.Scratch(Math.Max(1, (long)sizes.Sequences * (count + 1)), sizeof(double));
        cuda.Launch(
            "mlstm_scales", new CudaSize(count + 1, sizes.Sequences), Threads, 0,
            states, gradStates, arrays["c"], arrays["n"], gradC0, gradN0, scales, sizes.KeyDim, sizes.ValueDim, count);
        cuda.Launch(
            "mlstm_grad_gates", sizes.Sequences, Threads, 0,
            arrays["f"], gates, division, ofInput, inner, scales, arrays.Gradient("m"), gradI, gradF, gradM0, keyTiles,
            arrays[Products].Length, sizes.Length, sizes.Chunk, count);

        KernelArray Or(KernelArray array, long length) => array.IsPresent ? array : cuda.Scratch(Math.Max(1, length));
    }

    /// <summary>What weighs what, for each step, and the decay of each chunk.</summary>
    private static (KernelArray Gates, KernelArray Decays) Gates(KernelArrays arrays, CudaLauncher cuda, MlstmSizes sizes, KernelArray last)
    {
        var gates = cuda.Scratch(GateArrays * Steps(sizes));
        var decays = cuda.Scratch(Math.Max(1, (long)sizes.Sequences * sizes.ChunkCount));
        cuda.Launch(
            "mlstm_gates", sizes.Sequences, Threads, 0,
            arrays["i"], arrays["f"], arrays["m0"], gates, decays, last, KeyScale(sizes), (long)sizes.Sequences * sizes.Length,
            sizes.Length, sizes.Chunk, sizes.ChunkCount);
        return (gates, decays);
    }

    private static void Carry(
        CudaLauncher cuda, MlstmSizes sizes, KernelArray states, KernelArray decays, KernelArray c, KernelArray n, KernelArray cAfter, KernelArray nAfter,
        int count, bool backwards) => cuda.Launch(
            "mlstm_carry", new CudaSize(CudaSize.Pieces(StateSize(sizes), Threads), sizes.Sequences), Threads, 0,
            states, decays, c, n, cAfter, nAfter, sizes.ChunkCount, backwards ? 1 : 0, sizes.KeyDim, sizes.ValueDim, count);

    private static MlstmSizes Sizes(OpCall call)
    {
        var length = call.Count("L");
        var wanted = Mlstm.ChunkSize(call.Options);
        return new(checked(call.Count("B") * call.Count("H")), length, call.Count("D"), call.Count("E"), Math.Max(1, Math.Min(length, wanted > 0 ? wanted : Tile)));
    }

    /// <summary>A state as the kernels have it: C, and n behind it.</summary>
    private static long StateSize(MlstmSizes sizes) => ((long)sizes.KeyDim * sizes.ValueDim) + sizes.KeyDim;

    private static long Steps(MlstmSizes sizes) => Math.Max(1, (long)sizes.Sequences * sizes.Length);

    private static float KeyScale(MlstmSizes sizes) => 1 / MathF.Sqrt(sizes.KeyDim);

    private static int Tiles(long dims) => CudaSize.Pieces(dims, Tile);

    private static int StateTiles(MlstmSizes sizes) => Tiles(sizes.KeyDim) * Tiles(sizes.ValueDim);

    private static CudaSize Grid(MlstmSizes sizes, int chunks, int tiles) => new(chunks, tiles, sizes.Sequences);

    /// <summary>One of the arrays of each step, from a step of the first sequence on.</summary>
    private static KernelArray Row(KernelArray arrays, MlstmSizes sizes, int row, int start) => From(arrays, (row * (long)sizes.Sequences * sizes.Length) + start);

    private static KernelArray From(KernelArray array, long first) => array.Slice(Math.Min(first, array.Length), array.Length - Math.Min(first, array.Length));

    /// <summary>The kernels' last arguments.</summary>
    private static CudaArgument[] Time(MlstmSizes sizes, int steps, int count) =>
        [(long)sizes.Sequences * sizes.Length, sizes.Length, steps, sizes.KeyDim, sizes.ValueDim, sizes.Chunk, count];
}
