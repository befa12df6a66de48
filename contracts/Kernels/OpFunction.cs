using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>Joins every op's kernels to autograd: the one place where tensors become raw memory.</summary>
/// <remarks>
/// Checks and the forward kernel run before TorchSharp's node exists, because a node whose forward throws is never freed. An exception in a
/// backward would end the process; it is kept, gradients are zero, and <see cref="Gradients.Backward(Tensor)"/> throws it afterwards.
/// </remarks>
internal sealed class OpFunction : autograd.MultiTensorFunction<OpFunction>
{
    private const string InvocationKey = "invocation";

    public override string Name => nameof(OpFunction);

    /// <summary>Runs the forward kernel and, where gradients are needed, records the backward one.</summary>
    public static NamedTensors Run(OpCall call, OpKernel kernel, IReadOnlyList<KernelArraySpec> outputSpecs) =>
        call.NeedsGradient ? RunForGradients(call, kernel, outputSpecs) : RunAlone(call, kernel, outputSpecs);

    /// <summary>As short as it can be: small ops of inference take as long as the way to them.</summary>
    private static NamedTensors RunAlone(OpCall call, OpKernel kernel, IReadOnlyList<KernelArraySpec> outputSpecs)
    {
        var first = call.Inputs.Values.First();
        var arrays = new KernelArrays { Card = CardOf(first) };
        var device = arrays.Card is null ? CPU : first.device;
        NamedTensors? copies = null;
        foreach (var (name, given) in call.Inputs)
        {
            var input = given;
            if (!given.is_contiguous())
                (copies ??= [])[name] = input = given.contiguous();
            arrays.Add(name, KernelArray.OfContiguous(input));
        }
        var result = new NamedTensors();
        try
        {
            foreach (var spec in outputSpecs)
                arrays.Add(spec.Key, KernelArray.OfContiguous(result[spec.Name] = empty(spec.Shape, spec.Dtype, device)));
            kernel.Forward(call, arrays);
            GC.KeepAlive(call);
            foreach (var argument in call.Op.Arguments)
            {
                if (argument.Updated && copies?.Find(argument.Name) is { } copy)
                    call.Inputs[argument.Name].copy_(copy);
            }
            return result;
        }
        catch
        {
            foreach (var output in result.Values)
                output.Dispose();
            throw;
        }
        finally
        {
            if (copies is not null)
            {
                foreach (var copy in copies.Values)
                    copy.Dispose();
            }
        }
    }

    private static NamedTensors RunForGradients(OpCall call, OpKernel kernel, IReadOnlyList<KernelArraySpec> outputSpecs)
    {
        using var scope = NewDisposeScope();
        var names = call.Inputs.Keys.ToArray();
        var inputs = new Tensor[names.Length];
        List<Tensor> outputs, saved;
        using (no_grad())
        {
            var arrays = new KernelArrays { Card = CardOf(call.Inputs[names[0]]) };
            for (var i = 0; i < names.Length; i++)
            {
                inputs[i] = Contiguous(call.Inputs[names[i]]);
                arrays.Add(names[i], KernelArray.Of(inputs[i]));
            }
            var device = inputs[0].device;
            outputs = Allocate(outputSpecs, device, arrays);
            var savedSpecs = kernel.Saved(call);
            saved = Allocate(savedSpecs, device, arrays);
            kernel.Forward(call, arrays);
            GC.KeepAlive(inputs);
            foreach (var argument in call.Op.Arguments)
            {
                var i = argument.Updated ? Array.IndexOf(names, argument.Name) : -1;
                if (i >= 0 && !call.Inputs[names[i]].is_contiguous())
                    call.Inputs[names[i]].copy_(inputs[i]);
            }

            var invocation = new Invocation(call, kernel, names, outputSpecs, savedSpecs, inputs.Length, outputs, saved)
            {
                Wanted = [.. names.Select(n => call.Inputs[n].requires_grad)],
            };
            var arguments = new object[names.Length + 1];
            arguments[0] = invocation;
            using (enable_grad())
            {
                for (var i = 0; i < names.Length; i++)
                    arguments[i + 1] = AsInner(call.Inputs[names[i]]);
                outputs = apply(arguments);
            }
        }
        var result = new NamedTensors();
        for (var i = 0; i < outputSpecs.Count; i++)
            result[outputSpecs[i].Name] = outputs[i].MoveToOuterDisposeScope();
        return result;
    }

    /// <summary>The memory of a call on tensors that stay.</summary>
    /// <exception cref="ShapeException">A tensor is not contiguous, or an output is not as the op makes it.</exception>
    public static KernelArrays Arrays(OpCall call, NamedTensors outputs, IReadOnlyList<KernelArraySpec> outputSpecs)
    {
        var arrays = new KernelArrays { Card = CardOf(call.Inputs.Values.First()) };
        foreach (var (name, tensor) in call.Inputs)
            arrays.Add(name, KernelArray.Of(tensor));
        foreach (var spec in outputSpecs)
        {
            var output = outputs[spec.Name];
            if (output.dtype != spec.Dtype || !output.shape.AsSpan().SequenceEqual(spec.Shape))
            {
                throw new ShapeException($"{call.Op.Name}: the output '{spec.Name}' is {output.dtype} {Shape.Describe(output.shape)} but must be " +
                    $"{spec.Dtype} {Shape.Describe(spec.Shape)}.");
            }
            arrays.Add(spec.Key, KernelArray.Of(output));
        }
        return arrays;
    }

    public override List<Tensor> forward(autograd.AutogradContext context, params object[] arguments)
    {
        var invocation = (Invocation)arguments[0];
        var outputs = invocation.TakeOutputs();
        context.save_data(InvocationKey, invocation);
        context.save_for_backward([.. arguments.Skip(1).Cast<Tensor>(), .. outputs.Where((_, i) => invocation.Reads(i)), .. invocation.TakeSaved()]);
        context.set_materialize_grads(false);   // materialised from tensors that live in this scope, which backward may well outlive
        context.mark_non_differentiable([.. outputs.Where((_, i) => !invocation.OutputSpecs[i].Differentiable)]);
        return outputs;
    }

    public override List<Tensor> backward(autograd.AutogradContext context, List<Tensor> outputGradients)
    {
        var invocation = (Invocation)context.get_data(InvocationKey);
        var gradients = new List<Tensor> { null! };
        Gradients.CountMissing(outputGradients.Count(g => g.IsInvalid));
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var tensors = context.get_saved_variables();
        try
        {
            invocation.Backward(tensors, outputGradients, gradients);
        }
        catch (Exception e)
        {
            BackwardFailure.Record(e);
            gradients.RemoveRange(1, gradients.Count - 1);
            for (var i = 0; i < invocation.Names.Length; i++)
                gradients.Add(invocation.Wanted[i] ? zeros_like(tensors[i]) : null!);
        }
        foreach (var gradient in gradients)
            gradient?.MoveToOuterDisposeScope();
        return gradients;
    }

    private static int? CardOf(Tensor tensor) => tensor.device_type == DeviceType.CUDA ? tensor.device_index : null;

    /// <summary>The tensor itself where it is contiguous: a second one on the same memory takes a microsecond to make and to free.</summary>
    private static Tensor Contiguous(Tensor tensor) => tensor.is_contiguous() ? tensor : tensor.contiguous();

    /// <summary>
    /// A view of a leaf, any other tensor itself. A leaf takes over a gradient that nobody else holds, and copies one that somebody does:
    /// TorchSharp holds what a backward returns. The gradient of a view is passed on as a tensor of its own on the same memory.
    /// </summary>
    private static Tensor AsInner(Tensor tensor) => tensor.requires_grad && tensor.is_leaf ? tensor.view(tensor.shape) : tensor;

    private static List<Tensor> Allocate(IReadOnlyList<KernelArraySpec> specs, Device device, KernelArrays arrays)
    {
        var tensors = new List<Tensor>(specs.Count);
        foreach (var spec in specs)
        {
            var tensor = empty(spec.Shape, spec.Dtype, device);
            arrays.Add(spec.Key, KernelArray.Of(tensor));
            tensors.Add(tensor);
        }
        return tensors;
    }

    /// <summary>What a backward needs to know of its forward.</summary>
    private sealed class Invocation(
        OpCall call, OpKernel kernel, string[] names, IReadOnlyList<KernelArraySpec> outputSpecs, IReadOnlyList<KernelArraySpec> savedSpecs,
        int inputCount, List<Tensor> outputs, List<Tensor> saved)
    {
        private List<Tensor>? _outputs = outputs;
        private List<Tensor>? _saved = saved;

        public string[] Names => names;

        public IReadOnlyList<KernelArraySpec> OutputSpecs => outputSpecs;

        public required bool[] Wanted { get; init; }

        /// <summary>Whether backward reads an output.</summary>
        public bool Reads(int output) => kernel.ReadsOutput(outputSpecs[output].Name);

        /// <summary>Handed to autograd, which owns them from here: a reference kept here would hold their memory.</summary>
        public List<Tensor> TakeOutputs() => Interlocked.Exchange(ref _outputs, null)!;

        public List<Tensor> TakeSaved() => Interlocked.Exchange(ref _saved, null)!;

        /// <summary>Runs the backward kernel; adds a gradient, or null, for every input.</summary>
        public void Backward(List<Tensor> tensors, List<Tensor> outputGradients, List<Tensor> gradients)
        {
            var arrays = new KernelArrays { Card = CardOf(tensors[0]) };
            for (var i = 0; i < inputCount; i++)
                arrays.Add(names[i], KernelArray.Of(tensors[i] = Contiguous(tensors[i])));
            var next = inputCount;
            for (var i = 0; i < outputSpecs.Count; i++)
            {
                if (Reads(i))
                    arrays.Add(outputSpecs[i].Key, KernelArray.Of(tensors[next++]));
            }
            foreach (var spec in savedSpecs)
                arrays.Add(spec.Key, KernelArray.Of(tensors[next++]));
            var contiguous = new List<Tensor>();
            for (var i = 0; i < outputSpecs.Count; i++)
            {
                if (outputGradients[i] is not { IsInvalid: false } given)
                    continue;
                var gradient = Contiguous(given);
                contiguous.Add(gradient);
                arrays.AddGradient(outputSpecs[i].Key, KernelArray.Of(gradient));
            }
            for (var i = 0; i < inputCount; i++)
            {
                if (!Wanted[i])
                {
                    gradients.Add(null!);
                    continue;
                }
                var gradient = empty_like(tensors[i]);
                gradients.Add(gradient);
                arrays.AddGradient(names[i], KernelArray.Of(gradient));
            }
            kernel.Backward(call, arrays);
            GC.KeepAlive(tensors);
            GC.KeepAlive(contiguous);
        }
    }
}
