namespace Zoo.LeNet;

/// <summary>One number: what vectors leave over.</summary>
internal readonly unsafe struct WideScalar(double value) : IWide<WideScalar>
{
    private readonly double _value = value;

    public static int Count => 1;

    public static WideScalar operator +(WideScalar a, WideScalar b) => new(a._value + b._value);

    public static WideScalar operator -(WideScalar a, WideScalar b) => new(a._value - b._value);

    public static WideScalar operator *(WideScalar a, WideScalar b) => new(a._value * b._value);

    public static WideScalar operator /(WideScalar a, WideScalar b) => new(a._value / b._value);

    public static WideScalar Create(double value) => new(value);

    public static WideScalar Load(float* source) => new(*source);

    public static WideScalar LoadWide(double* source) => new(*source);

    public void Store(float* target) => *target = (float)_value;

    public void StoreWide(double* target) => *target = _value;

    public static WideScalar MultiplyAdd(WideScalar a, WideScalar b, WideScalar c) =>
        new(double.MultiplyAddEstimate(a._value, b._value, c._value));

    public static WideScalar Max(WideScalar a, WideScalar b) => new(Math.Max(a._value, b._value));

    public static WideScalar Sqrt(WideScalar a) => new(Math.Sqrt(a._value));

    public double Sum() => _value;
}
