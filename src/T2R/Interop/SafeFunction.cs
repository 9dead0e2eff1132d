using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Interop;

/// <summary>
/// An autograd function whose backward may fail and leaks nothing. TorchSharp calls a backward from native code, where a managed exception ends
/// the process, and leaves the tensors that go in and out of it to the garbage collector. Here an exception is kept, and native code is handed a
/// gradient of an impossible shape, so that the caller's <c>backward</c> throws; <see cref="Autograd.Backward"/> then throws the kept exception itself.
/// </summary>
/// <typeparam name="T">The function itself. At least one of its tensor inputs that need a gradient has a dimension.</typeparam>
public abstract class SafeFunction<T> : torch.autograd.MultiTensorFunction<T>
    where T : SafeFunction<T>, new()
{
    private const string InputsAreTensors = "SafeFunction.InputsAreTensors";

    [ThreadStatic]
    private static List<Tensor?>? _returned;

    /// <inheritdoc/>
    public override string Name => typeof(T).Name;

    /// <inheritdoc/>
    public sealed override List<Tensor> forward(torch.autograd.AutogradContext ctx, params object[] vars)
    {
        ArgumentNullException.ThrowIfNull(ctx);

        // A missing gradient comes as null: TorchSharp's own zeros would be built from tensors that the caller's scope may have closed.
        ctx.set_materialize_grads(false);
        ctx.save_data(InputsAreTensors, Array.ConvertAll(vars, i => i is Tensor));
        return ComputeOutputs(ctx, vars);
    }

    /// <inheritdoc/>
    public sealed override List<Tensor> backward(torch.autograd.AutogradContext ctx, List<Tensor> grad_outputs)
    {
        ArgumentNullException.ThrowIfNull(grad_outputs);

        // Native code took its own references when the previous call returned.
        _returned?.ForEach(t => t?.Dispose());
        _returned = null;
        var inputs = ctx.get_data(InputsAreTensors) as bool[] ?? [];
        try
        {
            using var scope = torch.NewDisposeScope();
            var result = ComputeGradients(ctx, grad_outputs.ConvertAll(g => g.IsInvalid ? null : g));
            result.ForEach(t => t?.DetachFromDisposeScope());
            return (_returned = result)!;
        }
        catch (Exception e)
        {
            BackwardFault.Record(e);
            return (_returned = [.. inputs.Select(isTensor => isTensor ? torch.zeros([]).DetachFromDisposeScope() : null)])!;
        }
        finally
        {
            grad_outputs.ForEach(AbsentGradient.Dispose);
        }
    }

    /// <summary>Calls the function. Tensors among the inputs take part in autograd; null and other objects are passed on.</summary>
    /// <param name="inputs">What <see cref="ComputeOutputs"/> receives.</param>
    protected static List<Tensor> Call(params object?[] inputs) => apply_internal(inputs!);

    /// <summary>Computes the outputs, each a new tensor, without recording; saves what the backward needs in the context.</summary>
    /// <param name="context">Keeps what the backward needs.</param>
    /// <param name="inputs">As the caller gave them.</param>
    protected abstract List<Tensor> ComputeOutputs(torch.autograd.AutogradContext context, object?[] inputs);

    /// <summary>Computes one gradient for each input, null for none. Runs in a dispose scope of its own.</summary>
    /// <param name="context">What the forward saved.</param>
    /// <param name="gradients">One for each output; null where nothing depends on it.</param>
    protected abstract List<Tensor?> ComputeGradients(torch.autograd.AutogradContext context, List<Tensor?> gradients);
}
