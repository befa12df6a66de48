namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>What is known of a row beside its integers.</summary>
/// <param name="Rate">1 / √(mean(x²) + ε).</param>
/// <param name="Scale">x_scale.</param>
/// <param name="Sum">Of the integers: what a product with codes that are 1 too large has too much.</param>
internal readonly record struct QuantizedRow(float Rate, float Scale, int Sum);
