namespace Zoo.LeNet.Ops.Net;

/// <summary>Which of the ladder's nets it is, as far as the arithmetic goes.</summary>
/// <param name="Relu">ReLU in H1, H2 and H3, instead of tanh.</param>
/// <param name="TanhOutputs">Whether the outputs go through tanh.</param>
/// <param name="HiddenBorder">What lies around H1's planes.</param>
internal readonly record struct NetForm(bool Relu, bool TanhOutputs, float HiddenBorder);
