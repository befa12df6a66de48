using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The backward of some rows. What is not given or not wanted is null; the gradient of y is given.</summary>
internal unsafe struct NormBackward : ISimdKernel
{
    public long Rows;
    public int Dim;
    public bool Centre;
    public float* S;                // what was normalised: x, or the sum
    public float* Weight;
    public float* Means, Rates;
    public float* GradY, GradSum;
    public float* GradX, GradResidual;
    public float* GradWeight, GradBias;     // of these rows alone; [dim]

    /// <summary>Of all rows, those from <paramref name="first"/> up to <paramref name="end"/>.</summary>
    public readonly NormBackward Piece(long first, long end, float* gradWeight, float* gradBias)
    {
        var start = first * Dim;
        return this with
        {
            Rows = end - first,
            S = S + start,
            Means = At(Means, first),
            Rates = Rates + first,
            GradY = GradY + start,
            GradSum = At(GradSum, start),
            GradX = At(GradX, start),
            GradResidual = At(GradResidual, start),
            GradWeight = gradWeight,
            GradBias = gradBias,
        };

        static float* At(float* array, long offset) => array == null ? null : array + offset;
    }

    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var normalised = stackalloc float[Dim];     // of a row, so that it is reckoned once
        if (GradWeight != null)
            new Span<float>(GradWeight, Dim).Clear();
        if (GradBias != null)
            new Span<float>(GradBias, Dim).Clear();
        var offset = 0L;
        for (var row = 0L; row < Rows; row++, offset += Dim)
        {
            var (gradTotal, product) = Sums<V>(S + offset, GradY + offset, Centre ? Means[row] : 0, Rates[row], normalised);
            if (GradX == null && GradResidual == null)
                continue;
            var target = GradX != null ? GradX + offset : GradResidual + offset;
            Row<V>(normalised, GradY + offset, GradSum == null ? null : GradSum + offset,
                Rates[row], Centre ? gradTotal / Dim : 0, product / Dim, target);
            if (GradX != null && GradResidual != null)
                new Span<float>(target, Dim).CopyTo(new Span<float>(GradResidual + offset, Dim));
        }
    }

    /// <summary>Σ g and Σ g x̂ with g = ∂y ⊙ weight; adds the row's part to the gradients of weight and bias, and stores x̂.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly (float Total, float Product) Sums<V>(float* s, float* gradY, float mean, float rate, float* normalised)
        where V : struct, ILanes<V>
    {
        float* weight = Weight, gradWeight = GradWeight, gradBias = GradBias;
        var count = Dim;
        var (wideMean, wideRate) = (V.Create(mean), V.Create(rate));
        V total = V.Zero, product = V.Zero;
        var i = 0;
        for (; i + V.Count <= count; i += V.Count)
        {
            var gy = V.Load(gradY + i);
            var n = (V.Load(s + i) - wideMean) * wideRate;
            n.Store(normalised + i);
            if (gradWeight != null)
                V.MultiplyAdd(gy, n, V.Load(gradWeight + i)).Store(gradWeight + i);
            if (gradBias != null)
                (gy + V.Load(gradBias + i)).Store(gradBias + i);
            var g = weight != null ? gy * V.Load(weight + i) : gy;
            total += g;
            product = V.MultiplyAdd(g, n, product);
        }
        var (totalOfAll, productOfAll) = (V.Sum(total), V.Sum(product));
        for (; i < count; i++)
        {
            var n = normalised[i] = (s[i] - mean) * rate;
            if (gradWeight != null)
                gradWeight[i] += gradY[i] * n;
            if (gradBias != null)
                gradBias[i] += gradY[i];
            var g = weight != null ? gradY[i] * weight[i] : gradY[i];
            totalOfAll += g;
            productOfAll += g * n;
        }
        return (totalOfAll, productOfAll);
    }

    /// <summary>∂s = rate · (g - meanG - x̂ · meanProduct) + ∂sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Row<V>(float* normalised, float* gradY, float* gradSum, float rate, float meanG, float meanProduct, float* target)
        where V : struct, ILanes<V>
    {
        var weight = Weight;
        var count = Dim;
        var (wideRate, wideMeanG, wideMeanProduct) = (V.Create(rate), V.Create(meanG), V.Create(-meanProduct));
        var i = 0;
        for (; i + V.Count <= count; i += V.Count)
        {
            var g = V.Load(gradY + i);
            if (weight != null)
                g *= V.Load(weight + i);
            g = V.MultiplyAdd(V.Load(normalised + i), wideMeanProduct, g - wideMeanG) * wideRate;
            if (gradSum != null)
                g += V.Load(gradSum + i);
            g.Store(target + i);
        }
        for (; i < count; i++)
        {
            var g = weight != null ? gradY[i] * weight[i] : gradY[i];
            target[i] = (g - meanG - normalised[i] * meanProduct) * rate + (gradSum != null ? gradSum[i] : 0);
        }
    }
}
