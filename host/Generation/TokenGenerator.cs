using System.Diagnostics;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.Host.Generation;

/// <summary>
/// Continues a prompt token by token: the prompt in one pass that leaves its state, then the step form. A model without a step form reads the
/// whole text again for each token.
/// </summary>
/// <remarks>
/// A model with a longest sequence goes on beyond it in windows: when it is full it starts anew from the last half of what it could hold.
/// </remarks>
/// <param name="model">In evaluation mode, on <paramref name="device"/>.</param>
/// <param name="device">Where it is.</param>
internal sealed class TokenGenerator(TokenModel model, Device device)
{
    /// <summary>Tokens of a prompt that are read at once; a longer one goes through in pieces, so that its memory has a bound.</summary>
    private const int LongestPiece = 4096;

    private readonly List<long[]> _columns = [];   // every token so far, one id a sequence

    /// <summary>Told once, in a sentence, when something is done otherwise than a user would expect.</summary>
    public Action<string> Note { get; init; } = _ => { };

    /// <summary>Generates.</summary>
    /// <param name="request">What.</param>
    /// <param name="onToken">Gets the sequence and the id, as soon as it is chosen.</param>
    /// <param name="cancellation">Asked before each token.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="UserException">The model gives logits that are no numbers.</exception>
    public GenerationTimes Run(GenerationRequest request, Action<int, long> onToken, CancellationToken cancellation = default)
    {
        using var mode = inference_mode();
        var sampler = new Sampler(request.Sampling);
        var random = Enumerable.Range(0, request.Samples).Select(i => Draws(request.Seed, i)).ToArray();
        _columns.Clear();
        _columns.AddRange(request.Prompt.Select(id => Enumerable.Repeat(id, request.Samples).ToArray()));
        if (model.MaximumLength is { } longest && (long)request.Prompt.Count + request.Count - 1 > longest)
        {
            var tooLong = request.Prompt.Count > longest ? $"of the prompt's {request.Prompt.Count:N0} it sees only the last ones, and " : "";
            Note($"{model.GetName()} takes {Counted.Of(longest, "token")} at once: {tooLong}whenever it is full it goes on from the last {WindowOf(longest):N0}.");
        }
        var state = model.NewState(request.Samples);
        if (state is null)
            Note($"{model.GetName()} has no step form: each token is a pass over the whole text.");
        var watch = Stopwatch.StartNew();
        double? promptSeconds = null;
        var (read, held) = (0, 0);
        try
        {
            for (var done = 0; done < request.Count; done++)
            {
                cancellation.ThrowIfCancellationRequested();
                if (state is not null && held == model.MaximumLength)
                {
                    state.Dispose();
                    state = model.NewState(request.Samples)!;   // before the scope of the step, which would take its tensors along
                    held = 0;
                }
                using var scope = NewDisposeScope();
                var logits = Values(NextHidden(state, ref held, cancellation));
                read = done == 0 ? held : read;
                var width = logits.Length / request.Samples;
                var column = new long[request.Samples];
                for (var i = 0; i < column.Length; i++)
                {
                    column[i] = Choose(sampler, logits.AsSpan(i * width, Math.Min(width, request.VocabSize)), random[i]);
                    onToken(i, column[i]);
                }
                _columns.Add(column);
                promptSeconds ??= watch.Elapsed.TotalSeconds;
            }
        }
        finally
        {
            state?.Dispose();
        }
        var first = promptSeconds ?? 0;
        return new GenerationTimes((long)read * request.Samples, first, (long)(request.Count - 1) * request.Samples, watch.Elapsed.TotalSeconds - first);
    }

    /// <summary>Hidden states after the last token, [batch, dim].</summary>
    /// <param name="state">Null where the model has none.</param>
    /// <param name="held">Tokens that the state has seen; becomes how many it, or a whole pass, has seen then.</param>
    /// <param name="cancellation">Asked between pieces of a long text.</param>
    private Tensor NextHidden(ModelState? state, ref int held, CancellationToken cancellation)
    {
        if (state is not null && held > 0)
        {
            held++;
            return model.Step(Ids(_columns.Count - 1, 1).view(-1), state);
        }
        held = _columns.Count;
        if (held > model.MaximumLength)
            held = state is null ? model.MaximumLength.Value : WindowOf(model.MaximumLength.Value);   // room for steps where there are any
        var start = _columns.Count - held;
        return state is null ? Last(model.Hidden(Ids(start, held))) : Read(state, start, held, cancellation);
    }

    private Tensor Read(ModelState state, int start, int count, CancellationToken cancellation)
    {
        for (; count > LongestPiece; start += LongestPiece, count -= LongestPiece)
        {
            cancellation.ThrowIfCancellationRequested();
            using var _ = model.Hidden(Ids(start, LongestPiece), state);
        }
        return Last(model.Hidden(Ids(start, count), state));
    }

    private static int WindowOf(int longest) => Math.Max(1, longest / 2);

    private static Tensor Last(Tensor hidden) => hidden.select(1, hidden.shape[1] - 1);   // [batch, dim]

    private Tensor Ids(int start, int count)
    {
        var batch = _columns[0].Length;
        var ids = new long[batch * count];
        for (var t = 0; t < count; t++)
        {
            for (var i = 0; i < batch; i++)
                ids[i * count + t] = _columns[start + t][i];
        }
        return tensor(ids, [batch, count], device: device);
    }

    private double[] Values(Tensor hidden) => model.Head(hidden).to(ScalarType.Float64).cpu().contiguous().data<double>().ToArray();

    private int Choose(Sampler sampler, ReadOnlySpan<double> logits, CounterRandom random)
    {
        try
        {
            return sampler.Next(logits, random);
        }
        catch (ArgumentException e)
        {
            throw new UserException($"{model.GetName()} cannot go on after {_columns.Count:N0} tokens: {e.Message}.", e);
        }
    }

    /// <summary>A sequence's own draws.</summary>
    private static CounterRandom Draws(int seed, int sample) => new(((ulong)(uint)seed << 32) | (uint)sample);
}
