using System.Runtime.InteropServices;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.Tasks;
using Zoo.Training;

namespace Zoo.LeNet.Ops.Net;

/// <summary>Whole training steps in one kernel: forward, backward and update, parameters and optimiser state in one block of cache.</summary>
/// <param name="Steps">What to run.</param>
/// <param name="Parameters">The eight parameters' own memory, in the order of <see cref="NetLayout.Names"/>.</param>
/// <param name="Randomness">The model's draws.</param>
/// <param name="Config">Which net, and what training does to its images.</param>
/// <param name="Form">The same, as far as the arithmetic goes.</param>
internal readonly unsafe record struct NetTraining(
    FusedSteps Steps, nint[] Parameters, CounterRandom Randomness, LeNetConfig Config, NetForm Form) : ISimdKernel
{
    /// <summary>Why settings cannot be trained in one kernel; null when they can.</summary>
    public static string? Reject(TrainingSettings settings) =>
        settings.GradientClip > 0 ? $"it does not clip gradients, and clip is {settings.GradientClip}"
        : settings.Accumulate > 1 ? $"it does not accumulate, and accumulate is {settings.Accumulate}; a batch of any size does the same"
        : null;

    public void Run<V>()
        where V : struct, ILanes<V>
    {
        var batch = (ImageBatch)Steps.Examples;
        var images = KernelArray.Of(batch.Images);
        var labels = KernelArray.Of(batch.Labels);
        var adam = Steps.Settings.Optimizer == OptimizerKind.AdamW;
        var (firstName, secondName) = adam ? ("exp_avg", "exp_avg_sq") : (Steps.Settings.Momentum > 0 ? "momentum_buffer" : null, null);
        var block = (float*)NativeMemory.AlignedAlloc(4 * NetLayout.Length * sizeof(float), 64);
        float* p = block, g = p + NetLayout.Length, first = g + NetLayout.Length, second = first + NetLayout.Length;
        using var workspace = new NetWorkspace();
        try
        {
            NetLayout.Pack(Parameters, p);
            new Span<float>(g, NetLayout.Length).Clear();   // the padding between parts stays zero
            if (firstName is not null)
                NetLayout.Pack(State(firstName), first);
            if (secondName is not null)
                NetLayout.Pack(State(secondName), second);
            for (var step = 0; step < Steps.Losses.Length; step++)
            {
                var start = (long)step * Steps.BatchSize;
                Steps.Losses[step] = Gradients<V>(workspace, p, g, images.Float32 + start * NetLayout.Image, labels.Int64 + start);
                var rate = Steps.LearningRates[step];
                if (adam)
                    AdamW<V>(p, g, first, second, rate, Steps.OptimizerStep + step + 1);
                else
                    Sgd<V>(p, g, firstName is null ? null : first, rate);
            }
            NetLayout.Unpack(p, Parameters);
            if (firstName is not null)
                NetLayout.Unpack(first, State(firstName));
            if (secondName is not null)
                NetLayout.Unpack(second, State(secondName));
            GC.KeepAlive(batch);
        }
        finally
        {
            NativeMemory.AlignedFree(block);
        }
    }

    private nint[] State(string name)
    {
        var state = Steps.OptimizerState;
        return [.. NetLayout.Names.Select(n => KernelArray.Of(state[$"{n}.{name}"]).Pointer)];
    }

    /// <summary>The gradients of a batch's mean loss.</summary>
    /// <returns>The loss.</returns>
    private double Gradients<V>(NetWorkspace workspace, float* p, float* g, float* images, long* labels)
        where V : struct, ILanes<V>
    {
        // Drawn in the order of the tensor path: the move once a batch, then a factor a unit, image after image.
        var (down, right) = Config.Shift ? (Randomness.NextInt32(-1, 2), Randomness.NextInt32(-1, 2)) : (0, 0);
        var dropout = Config.Dropout > 0;
        double loss = 0;
        for (var i = 0; i < Steps.BatchSize; i++)
        {
            if (dropout)
                DrawKept(workspace.Kept);
            NetPass<V>.Forward(workspace, p, images + i * NetLayout.Image, down, right, Config.Faithful, dropout, Form);
            loss += Config.Loss == LeNetLoss.Mse ? SquaredError(workspace, labels[i]) : CrossEntropy(workspace, labels[i]);
            NetPass<V>.Backward(workspace, p, g, dropout, add: i > 0, Form, null);
        }
        return loss / Steps.BatchSize;
    }

    private void DrawKept(float* kept)
    {
        var factor = (float)(1 / (1 - Config.Dropout));
        for (var i = 0; i < NetLayout.H2All; i++)
            kept[i] = Randomness.NextSingle() < Config.Dropout ? 0 : factor;
    }

    private double SquaredError(NetWorkspace workspace, long label)
    {
        var sum = 0f;
        for (var k = 0; k < NetLayout.Outputs; k++)
        {
            var error = workspace.Scores[k] - (k == label ? 1 : -1);
            sum += error * error;
            workspace.ScoreGradient[k] = error * (2f / NetLayout.Outputs / Steps.BatchSize);
        }
        return sum / NetLayout.Outputs;
    }

    private double CrossEntropy(NetWorkspace workspace, long label)
    {
        var largest = float.NegativeInfinity;
        for (var k = 0; k < NetLayout.Outputs; k++)
            largest = MathF.Max(largest, workspace.Scores[k]);
        var sum = 0f;
        for (var k = 0; k < NetLayout.Outputs; k++)
            sum += workspace.ScoreGradient[k] = MathF.Exp(workspace.Scores[k] - largest);
        for (var k = 0; k < NetLayout.Outputs; k++)
            workspace.ScoreGradient[k] = (workspace.ScoreGradient[k] / sum - (k == label ? 1 : 0)) / Steps.BatchSize;
        return MathF.Log(sum) + largest - workspace.Scores[label];
    }

    /// <summary>b = momentum · b + gradient + decay · p; p = p - rate · b.</summary>
    private void Sgd<V>(float* p, float* g, float* buffer, double learningRate)
        where V : struct, ILanes<V>
    {
        var (rate, decay, momentum) = (V.Create((float)-learningRate), V.Create((float)Steps.Settings.WeightDecay!), V.Create((float)Steps.Settings.Momentum!));
        for (var i = 0; i < NetLayout.Length; i += V.Count)
        {
            var parameter = V.Load(p + i);
            var direction = V.MultiplyAdd(decay, parameter, V.Load(g + i));
            if (buffer != null)
            {
                direction = V.MultiplyAdd(momentum, V.Load(buffer + i), direction);
                direction.Store(buffer + i);
            }
            V.MultiplyAdd(rate, direction, parameter).Store(p + i);
        }
    }

    /// <summary>AdamW (Loshchilov and Hutter 2019) with the bias corrections folded into rate and epsilon.</summary>
    private void AdamW<V>(float* p, float* g, float* first, float* second, double learningRate, long step)
        where V : struct, ILanes<V>
    {
        var settings = Steps.Settings;
        var (beta1, beta2) = (settings.Beta1!.Value, settings.Beta2!.Value);
        var correction = Math.Sqrt(1 - Math.Pow(beta2, step));
        var rate = V.Create((float)(-learningRate * correction / (1 - Math.Pow(beta1, step))));
        var epsilon = V.Create((float)(settings.Epsilon!.Value * correction));
        var keep = V.Create((float)(1 - learningRate * settings.WeightDecay!.Value));
        var (keepFirst, addFirst) = (V.Create((float)beta1), V.Create((float)(1 - beta1)));
        var (keepSecond, addSecond) = (V.Create((float)beta2), V.Create((float)(1 - beta2)));
        for (var i = 0; i < NetLayout.Length; i += V.Count)
        {
            var gradient = V.Load(g + i);
            var mean = V.MultiplyAdd(keepFirst, V.Load(first + i), addFirst * gradient);
            var square = V.MultiplyAdd(keepSecond, V.Load(second + i), addSecond * gradient * gradient);
            mean.Store(first + i);
            square.Store(second + i);
            V.MultiplyAdd(rate, mean / (V.Sqrt(square) + epsilon), keep * V.Load(p + i)).Store(p + i);
        }
    }
}
