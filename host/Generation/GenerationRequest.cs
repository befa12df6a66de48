namespace Zoo.Host.Generation;

/// <summary>What to generate.</summary>
/// <param name="Prompt">Ids that every sequence begins with; at least one.</param>
/// <param name="Count">Tokens to generate a sequence.</param>
/// <param name="Samples">Sequences side by side.</param>
/// <param name="VocabSize">Ids that may come; logits beyond them are padding.</param>
/// <param name="Sampling">How tokens are chosen.</param>
/// <param name="Seed">Of the draws. Sequence i draws the same however many there are.</param>
internal sealed record GenerationRequest(IReadOnlyList<long> Prompt, int Count, int Samples, int VocabSize, SamplingOptions Sampling, int Seed);
