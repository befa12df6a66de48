using System.Runtime.CompilerServices;

namespace Zoo.Data;

/// <summary>
/// One digit on its way from a style to pixels. Units: the digit's height until <see cref="FitIntoBox"/>, pixels from there on.
/// </summary>
internal struct DigitDrawing
{
    private const int Side = DigitGenerator.Side;
    private const float BoxSide = 20;                // MNIST fits every digit into a box of this side
    private const int PiecesPerSpan = 6;             // straight pieces between two control points
    private const int MostControlPoints = 24;
    private const int MostPoints = MostControlPoints * PiecesPerSpan;
    private const int Grid = 5;                      // knots of the elastic field in each direction

    private Points _x;
    private Points _y;
    private Points _radius;
    private Strokes _endsStroke;
    private int _count;

    [InlineArray(MostPoints)]
    private struct Points
    {
        private float _first;
    }

    [InlineArray(MostPoints)]
    private struct Strokes
    {
        private bool _first;
    }

    /// <summary>Writes the digit's strokes.</summary>
    public DigitDrawing(int digit, ref SampleRandom random, DigitVariation variation)
    {
        var style = Choose(DigitStyle.OfDigit[digit], random.Below(100));
        var carelessness = random.Uniform();
        carelessness = 1 + variation.Sloppiness * carelessness * carelessness * carelessness;
        Trace(style, ref random, variation.Jitter * carelessness, variation.Overshoot);
        Bend(ref random, variation.Elastic * carelessness);
        Slant(ref random, variation);
        var pen = Math.Clamp(variation.PenRadius + variation.PenSpread * random.Normal(), 0.55f, 2.4f);
        FitIntoBox(pen, 1 + variation.Size * random.Normal());
        Press(style, ref random, pen, variation.Pressure);
        CentreByMass(variation.Shift * random.Normal(), variation.Shift * random.Normal());
    }

    private static DigitStyle Choose(DigitStyle[] styles, int ticket)
    {
        foreach (var style in styles)
        {
            if ((ticket -= style.Share) < 0)
                return style;
        }
        return styles[^1];
    }

    /// <summary>Follows a smooth curve through the style's points (a Catmull-Rom spline, broken at corners).</summary>
    private void Trace(DigitStyle style, ref SampleRandom random, float jitter, float overshoot)
    {
        var pose = random.Uniform(-0.15f, 1.15f);
        Span<float> px = stackalloc float[MostControlPoints];
        Span<float> py = stackalloc float[MostControlPoints];
        for (var i = 0; i < style.PointCount; i++)
        {
            var wander = jitter * style.Freedom[i];
            px[i] = style.From[2 * i] + pose * (style.To[2 * i] - style.From[2 * i]) + wander * random.Normal();
            py[i] = style.From[2 * i + 1] + pose * (style.To[2 * i + 1] - style.From[2 * i + 1]) + wander * random.Normal();
        }
        var start = 0;
        foreach (var end in style.StrokeEnds)
        {
            var isClosed = style.IsClosed(start, end);
            var startShare = overshoot * random.Normal();
            var endShare = overshoot * random.Normal();
            if (!isClosed)
            {
                MoveEnd(px, py, start, start + 1, startShare);
                MoveEnd(px, py, end - 1, end - 2, endShare);
            }
            for (var i = start; i < end - 1; i++)
            {
                var before = style.IsCorner[i] ? i : i > start ? i - 1 : isClosed ? end - 2 : i;
                var after = style.IsCorner[i + 1] ? i + 1 : i + 2 < end ? i + 2 : isClosed ? start + 1 : i + 1;
                for (var piece = 0; piece < PiecesPerSpan; piece++)
                    Add(px, py, before, i, i + 1, after, piece / (float)PiecesPerSpan, endsStroke: false);
            }
            Add(px, py, end - 1, end - 1, end - 1, end - 1, 0, endsStroke: true);
            start = end;
        }
    }

    /// <summary>Lets a stroke begin or end early or late.</summary>
    private static void MoveEnd(Span<float> px, Span<float> py, int end, int neighbour, float share)
    {
        px[end] += share * (px[end] - px[neighbour]);
        py[end] += share * (py[end] - py[neighbour]);
    }

    private void Add(ReadOnlySpan<float> px, ReadOnlySpan<float> py, int before, int from, int to, int after, float t, bool endsStroke)
    {
        _x[_count] = Spline(px[before], px[from], px[to], px[after], t);
        _y[_count] = Spline(py[before], py[from], py[to], py[after], t);
        _endsStroke[_count] = endsStroke;
        _count++;
    }

    private static float Spline(float before, float from, float to, float after, float t) =>
        from + 0.5f * t * (to - before + t * (2 * before - 5 * from + 4 * to - after + t * (3 * (from - to) + after - before)));

    /// <summary>Displaces every point by a smooth random field: cubic B-splines over a grid of random knots.</summary>
    private void Bend(ref SampleRandom random, float strength)
    {
        Span<float> knotsX = stackalloc float[Grid * Grid];
        Span<float> knotsY = stackalloc float[Grid * Grid];
        for (var i = 0; i < Grid * Grid; i++)
        {
            knotsX[i] = 2 * strength * random.Normal();   // the spline's averaging halves it
            knotsY[i] = 2 * strength * random.Normal();
        }
        Span<float> across = stackalloc float[4];
        Span<float> down = stackalloc float[4];
        for (var p = 0; p < _count; p++)
        {
            var column = Weights(_x[p], across);
            var row = Weights(_y[p], down);
            float dx = 0, dy = 0;
            for (var j = 0; j < 4; j++)
            {
                for (var i = 0; i < 4; i++)
                {
                    var weight = down[j] * across[i];
                    var knot = (row + j) * Grid + column + i;
                    dx += weight * knotsX[knot];
                    dy += weight * knotsY[knot];
                }
            }
            _x[p] += dx;
            _y[p] += dy;
        }
    }

    /// <summary>The first of the four knots around a coordinate in 0 to 1, and their weights.</summary>
    private static int Weights(float coordinate, Span<float> weights)
    {
        var at = Math.Clamp(coordinate, 0, 0.999f) * (Grid - 3);
        var knot = (int)at;
        var t = at - knot;
        var u = 1 - t;
        weights[0] = u * u * u / 6;
        weights[1] = (3 * t * t * t - 6 * t * t + 4) / 6;
        weights[2] = (3 * u * u * u - 6 * u * u + 4) / 6;
        weights[3] = t * t * t / 6;
        return knot;
    }

    /// <summary>Squeezes, slants and turns the digit about its middle.</summary>
    private void Slant(ref SampleRandom random, DigitVariation variation)
    {
        var width = Math.Clamp(1 + variation.Aspect * random.Normal(), 0.5f, 1.7f);
        var slant = variation.SlantMean + variation.Slant * random.Normal();
        var tangent = 0.5f * variation.Rotation * random.Normal();
        var cosine = (1 - tangent * tangent) / (1 + tangent * tangent);
        var sine = 2 * tangent / (1 + tangent * tangent);
        for (var p = 0; p < _count; p++)
        {
            var y = _y[p] - 0.5f;
            var x = (_x[p] - 0.5f) * width - slant * y;
            _x[p] = cosine * x - sine * y;
            _y[p] = sine * x + cosine * y;
        }
    }

    /// <summary>Scales the strokes so that the ink fills MNIST's box.</summary>
    private void FitIntoBox(float pen, float size)
    {
        float left = _x[0], right = left, top = _y[0], bottom = top;
        for (var p = 1; p < _count; p++)
        {
            left = Math.Min(left, _x[p]);
            right = Math.Max(right, _x[p]);
            top = Math.Min(top, _y[p]);
            bottom = Math.Max(bottom, _y[p]);
        }
        var scale = size * (BoxSide - 2 * pen) / Math.Max(1e-3f, Math.Max(right - left, bottom - top));
        for (var p = 0; p < _count; p++)
        {
            _x[p] *= scale;
            _y[p] *= scale;
        }
    }

    /// <summary>
    /// Gives each point its line width: pressure that changes along a stroke, and a nib that is broader in one direction.
    /// </summary>
    private void Press(DigitStyle style, ref SampleRandom random, float pen, float pressure)
    {
        var nibX = random.Uniform(-1, 1);
        var nibY = random.Uniform(-1, 1);
        var first = 0;
        for (var stroke = 0; stroke < style.StrokeEnds.Length; stroke++)
        {
            var last = first;
            while (!_endsStroke[last])
                last++;
            var start = pressure * random.Normal();
            var middle = pressure * random.Normal();
            var end = pressure * random.Normal();
            for (var p = first; p <= last; p++)
            {
                var t = (p - first) / (float)(last - first);
                var along = start * (1 - t) * (1 - 2 * t) + 4 * middle * t * (1 - t) + end * t * (2 * t - 1);
                var dx = _x[Math.Min(p + 1, last)] - _x[Math.Max(p - 1, first)];
                var dy = _y[Math.Min(p + 1, last)] - _y[Math.Max(p - 1, first)];
                var across = dx * nibY - dy * nibX;
                var nib = across * across / (dx * dx + dy * dy + 1e-6f);   // 0 to 2
                _radius[p] = pen * Math.Max(0.5f, 1 + along + 0.3f * (nib - 0.4f));
            }
            first = last + 1;
        }
    }

    /// <summary>Puts the ink's centre of mass into the middle of the image, but for a shift.</summary>
    private void CentreByMass(float shiftX, float shiftY)
    {
        float mass = 1e-6f, x = 0, y = 0;
        for (var p = 0; p + 1 < _count; p++)
        {
            if (_endsStroke[p])
                continue;
            float dx = _x[p + 1] - _x[p], dy = _y[p + 1] - _y[p];
            var weight = MathF.Sqrt(dx * dx + dy * dy) * (_radius[p] + _radius[p + 1]);
            mass += weight;
            x += 0.5f * weight * (_x[p] + _x[p + 1]);
            y += 0.5f * weight * (_y[p] + _y[p + 1]);
        }
        for (var p = 0; p < _count; p++)
        {
            _x[p] += Side / 2f + shiftX - x / mass;
            _y[p] += Side / 2f + shiftY - y / mass;
        }
    }

    /// <summary>Draws the strokes.</summary>
    /// <param name="pixels">[28, 28]; every pixel is written.</param>
    public readonly void Ink(Span<byte> pixels, ref SampleRandom random, DigitVariation variation)
    {
        var blur = Math.Max(0.05f, variation.Blur * random.Uniform(0.5f, 1));
        Span<float> ink = stackalloc float[Side * Side];
        ink.Clear();
        for (var p = 0; p + 1 < _count; p++)
        {
            if (!_endsStroke[p])
                InkPiece(ink, p, blur);
        }
        var full = random.Uniform(240, 275);
        for (var i = 0; i < ink.Length; i++)
            pixels[i] = ink[i] <= 0 ? (byte)0 : (byte)(Math.Clamp(full * ink[i] + variation.Noise * random.Normal(), 0, 255) + 0.5f);
    }

    /// <summary>Draws the piece from point <paramref name="p"/> to the next: a line with round ends whose width changes evenly.</summary>
    private readonly void InkPiece(Span<float> ink, int p, float blur)
    {
        float x0 = _x[p], y0 = _y[p], r0 = _radius[p];
        float dx = _x[p + 1] - x0, dy = _y[p + 1] - y0, dr = _radius[p + 1] - r0;
        var perLength = 1 / (dx * dx + dy * dy + 1e-9f);
        var perBlur = 1 / blur;
        var reach = Math.Max(r0, r0 + dr) + 0.5f * blur;
        var left = Math.Max(0, (int)(Math.Min(x0, x0 + dx) - reach));
        var right = Math.Min(Side - 1, (int)(Math.Max(x0, x0 + dx) + reach));
        var top = Math.Max(0, (int)(Math.Min(y0, y0 + dy) - reach));
        var bottom = Math.Min(Side - 1, (int)(Math.Max(y0, y0 + dy) + reach));
        for (var row = top; row <= bottom; row++)
        {
            var qy = row + 0.5f - y0;
            for (var column = left; column <= right; column++)
            {
                var qx = column + 0.5f - x0;
                var t = Math.Clamp((qx * dx + qy * dy) * perLength, 0, 1);
                float ex = qx - t * dx, ey = qy - t * dy;
                var squared = ex * ex + ey * ey;
                if (squared >= reach * reach)
                    continue;
                var cover = Math.Min(1, (r0 + t * dr - MathF.Sqrt(squared)) * perBlur + 0.5f);
                ref var pixel = ref ink[row * Side + column];
                pixel = Math.Max(pixel, cover);
            }
        }
    }
}
