using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Zoo.XLstm.Ops.Matrix;

/// <summary>Four by four numbers, turned about their diagonal in registers.</summary>
internal static unsafe class Square
{
    /// <summary>target[j, i] = factor · source[i, j] for i and j below 4.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(float* source, long sourceRow, float* target, long targetRow, float factor)
    {
        if (!Sse.IsSupported && !AdvSimd.Arm64.IsSupported)
        {
            for (var i = 0; i < 4; i++)
            {
                for (var j = 0; j < 4; j++)
                    target[j * targetRow + i] = factor * source[i * sourceRow + j];
            }
            return;
        }
        var wide = Vector128.Create(factor);
        Vector128<float> a = Vector128.Load(source) * wide, b = Vector128.Load(source + sourceRow) * wide;
        Vector128<float> c = Vector128.Load(source + 2 * sourceRow) * wide, d = Vector128.Load(source + 3 * sourceRow) * wide;
        Vector128<float> ab0, ab1, cd0, cd1;       // a0 b0 a1 b1, a2 b2 a3 b3, and so on
        if (Sse.IsSupported)
        {
            (ab0, ab1) = (Sse.UnpackLow(a, b), Sse.UnpackHigh(a, b));
            (cd0, cd1) = (Sse.UnpackLow(c, d), Sse.UnpackHigh(c, d));
            Sse.MoveLowToHigh(ab0, cd0).Store(target);
            Sse.MoveHighToLow(cd0, ab0).Store(target + targetRow);
            Sse.MoveLowToHigh(ab1, cd1).Store(target + 2 * targetRow);
            Sse.MoveHighToLow(cd1, ab1).Store(target + 3 * targetRow);
            return;
        }
        (ab0, ab1) = (AdvSimd.Arm64.ZipLow(a, b), AdvSimd.Arm64.ZipHigh(a, b));
        (cd0, cd1) = (AdvSimd.Arm64.ZipLow(c, d), AdvSimd.Arm64.ZipHigh(c, d));
        Vector128.Create(ab0.GetLower(), cd0.GetLower()).Store(target);
        Vector128.Create(ab0.GetUpper(), cd0.GetUpper()).Store(target + targetRow);
        Vector128.Create(ab1.GetLower(), cd1.GetLower()).Store(target + 2 * targetRow);
        Vector128.Create(ab1.GetUpper(), cd1.GetUpper()).Store(target + 3 * targetRow);
    }
}
