using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Interop;

/// <summary>Backward passes whose exceptions are those that were thrown.</summary>
public static class Autograd
{
    /// <summary>Accumulates the gradients of all leaves. What a <see cref="SafeFunction{T}"/> throws in its backward is thrown here as it is.</summary>
    /// <param name="outputs">The roots.</param>
    /// <param name="gradients">One for each root; null when all roots are scalars.</param>
    public static void Backward(IList<Tensor> outputs, IList<Tensor>? gradients = null)
    {
        BackwardFault.Take();
        try
        {
            torch.autograd.backward(outputs, gradients);
        }
        catch (ExternalException)
        {
            BackwardFault.Take()?.Throw();
            throw;
        }
        finally
        {
            ReturnedGradients.Release();
        }
    }
}
