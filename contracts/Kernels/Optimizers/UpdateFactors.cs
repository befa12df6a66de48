namespace Zoo.Kernels;

/// <summary>What a rule makes of one tensor's rates: computed in double, rounded to float32 here.</summary>
/// <param name="Rate">Factor on the direction, negative.</param>
/// <param name="Epsilon">AdamW: ε with its bias correction.</param>
/// <param name="Decay">AdamW: 1 - lr·λ, what is kept of the value. SGD: λ.</param>
/// <param name="Smallest">AdamW: second moments below it become zero.</param>
internal readonly record struct UpdateFactors(float Rate, float Epsilon, float Decay, float Smallest);
