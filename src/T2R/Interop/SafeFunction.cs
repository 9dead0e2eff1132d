using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Interop;

/// <summary>
/// An autograd function whose backward may fail and leaks nothing. TorchSharp calls a backward from native code, where a managed exception ends
/// the process, and leaves the tensors that go in and out of it to the garbage collector. Here an exception is kept, and native code is handed a
/// gradient of an impossible shape, so that the caller's <c>backward</c> throws; <see cref="Autograd.Backward"/> then throws the kept exception itself.
/// A leaf's gradient is added to its <c>grad</c> here and not returned: the handle of a returned tensor outlives the call, and autograd, seeing a tensor that
/// somebody else holds too, would copy it.
/// </summary>
/// <typeparam name="T">The function itself. At least one of its tensor inputs that need a gradient has a dimension.</typeparam>
public abstract class SafeFunction<T> : torch.autograd.MultiTensorFunction<T>
    where T : SafeFunction<T>, new()
{
    private const string InputsAreTensors = "SafeFunction.InputsAreTensors";
    private const string Leaves = "SafeFunction.Leaves";

    /// <inheritdoc/>
    public override string Name => typeof(T).Name;

    /// <inheritdoc/>
    public sealed override List<Tensor> forward(torch.autograd.AutogradContext ctx, params object[] vars)
    {
        ArgumentNullException.ThrowIfNull(ctx);

        // A missing gradient comes as null: TorchSharp's own zeros would be built from tensors that the caller's scope may have closed.
        ctx.set_materialize_grads(false);
        ctx.save_data(InputsAreTensors, Array.ConvertAll(vars, i => i is Tensor));
        ctx.save_data(Leaves, Array.ConvertAll(vars, i => i is Tensor { is_leaf: true, requires_grad: true } leaf ? leaf : null));
        return ComputeOutputs(ctx, vars);
    }

    /// <inheritdoc/>
    public sealed override List<Tensor> backward(torch.autograd.AutogradContext ctx, List<Tensor> grad_outputs)
    {
        ArgumentNullException.ThrowIfNull(grad_outputs);

        ReturnedGradients.Release();
        var inputs = ctx.get_data(InputsAreTensors) as bool[] ?? [];
        try
        {
            using var scope = torch.NewDisposeScope();
            var result = ComputeGradients(ctx, grad_outputs.ConvertAll(g => g.IsInvalid ? null : g));
            AddToLeaves(result, ctx.get_data(Leaves) as Tensor?[] ?? []);
            result.ForEach(t => t?.DetachFromDisposeScope());
            return ReturnedGradients.Keep(result)!;
        }
        catch (Exception e)
        {
            BackwardFault.Record(e);
            return ReturnedGradients.Keep([.. inputs.Select(isTensor => isTensor ? torch.zeros([]).DetachFromDisposeScope() : null)])!;
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

    private static void AddToLeaves(List<Tensor?> gradients, Tensor?[] leaves)
    {
        using var _ = torch.no_grad();
        for (int i = 0; i < Math.Min(gradients.Count, leaves.Length); i++)
        {
            // A leaf whose handle is gone gets its gradient from native code.
            if (gradients[i] is { } gradient && leaves[i] is { IsInvalid: false } leaf && gradient.dtype == leaf.dtype && gradient.shape.SequenceEqual(leaf.shape))
            {
                using var sum = leaf.grad;
                if (sum is null)
                {
                    leaf.grad = gradient.DetachFromDisposeScope();
                }
                else
                {
                    sum.add_(gradient);
                }

                gradient.Dispose();
                gradients[i] = null;
            }
        }
    }
}
