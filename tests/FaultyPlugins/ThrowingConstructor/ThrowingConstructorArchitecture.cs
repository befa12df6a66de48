namespace Zoo.Faulty;

/// <summary>Its constructor throws.</summary>
public sealed class ThrowingConstructorArchitecture : TinyArchitecture
{
    public ThrowingConstructorArchitecture() : base("throwing-constructor") =>
        throw new InvalidOperationException("the table of\nweights is \u001b[31mempty");
}
