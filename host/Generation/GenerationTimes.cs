namespace Zoo.Host.Generation;

/// <summary>How long a generation took.</summary>
/// <param name="PromptTokens">Tokens of the prompt that were read, all sequences together.</param>
/// <param name="PromptSeconds">Seconds for them.</param>
/// <param name="Tokens">Tokens generated after the first of each sequence, which the prompt's pass gives.</param>
/// <param name="Seconds">Seconds for them.</param>
internal sealed record GenerationTimes(long PromptTokens, double PromptSeconds, long Tokens, double Seconds);
