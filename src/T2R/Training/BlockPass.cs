using T2R.Mixers;
using T2R.Models;
using T2R.Ops;
using T2R.Ops.Fp8;
using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>
/// One block's forward with its graph, cut in two at the residual stream between mixer and MLP, so that the MLP's gradients are done with before the mixer's backward
/// begins. With x the block's input, m = x + mixer(x) and y = mlp(m), which adds to m
/// <code>
/// dm = (∂ mlp/∂m)ᵀ dy        dx = dm + (∂ mixer/∂x)ᵀ dm
/// </code>
/// </summary>
internal sealed class BlockPass : IDisposable
{
    private readonly Tensor _input_BTD;
    private readonly Tensor _mixer_BTD;
    private readonly Tensor _mixed_BTD;
    private readonly Tensor _output_BTD;

    /// <summary>Runs the block.</summary>
    /// <param name="block">The block.</param>
    /// <param name="input_BTD">Its input; taken over.</param>
    /// <param name="needsInputGradient">Whether the gradient of the input is wanted.</param>
    /// <param name="context">What all layers share.</param>
    /// <param name="tape">A tape that is replayed, when <see cref="Output"/> is not wanted; null when it is.</param>
    /// <param name="fp8">Scales to multiply with weights in FP8 with; null for the weights' own type.</param>
    public BlockPass(Block block, Tensor input_BTD, bool needsInputGradient, SequenceContext context, Tape? tape, Fp8Layer? fp8 = null)
    {
        using var _ = enable_grad();
        _input_BTD = input_BTD.detach().requires_grad_(needsInputGradient).DetachFromDisposeScope();
        input_BTD.Dispose();
        _mixer_BTD = block.Mix(_input_BTD, context, tape: tape, fp8: fp8).DetachFromDisposeScope();
        using (no_grad())
        {
            // In the mixer's own memory: no backward reads what a block's last product gave.
            _mixed_BTD = _mixer_BTD.detach().add_(_input_BTD).requires_grad_(true).DetachFromDisposeScope();
        }

        _output_BTD = block.FeedForward(_mixed_BTD, context, tape, fp8).DetachFromDisposeScope();
    }

    /// <summary>The block's output, cut off from the graph, <c>[B, T, D]</c>.</summary>
    public Tensor Output() => _output_BTD.detach();

    /// <summary>The MLP's backward.</summary>
    /// <param name="gradient_BTD">dy; taken over.</param>
    /// <returns>dm.</returns>
    public Tensor MlpBackward(Tensor gradient_BTD)
    {
        Interop.Autograd.Backward([_output_BTD], [gradient_BTD]);
        _output_BTD.Dispose();
        gradient_BTD.Dispose();
        return GradientOf(_mixed_BTD).DetachFromDisposeScope();
    }

    /// <summary>The mixer's backward.</summary>
    /// <param name="gradient_BTD">dm; taken over.</param>
    /// <returns>dx; null when it is not wanted.</returns>
    public Tensor? MixerBackward(Tensor gradient_BTD)
    {
        _mixed_BTD.Dispose();
        if (_input_BTD.requires_grad)
        {
            // dm is dx's share past the mixer. The norm before the mixer, the last in the backward, adds the other when nothing reads dm any more.
            _input_BTD.grad = gradient_BTD;
        }

        if (_mixer_BTD.requires_grad)
        {
            Interop.Autograd.Backward([_mixer_BTD], [gradient_BTD]);
        }

        _mixer_BTD.Dispose();
        gradient_BTD.Dispose();
        return _input_BTD.requires_grad ? GradientOf(_input_BTD).DetachFromDisposeScope() : null;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _input_BTD.Dispose();
        _mixer_BTD.Dispose();
        _mixed_BTD.Dispose();
        _output_BTD.Dispose();
    }

    private static Tensor GradientOf(Tensor leaf_BTD)
    {
        var gradient_BTD = leaf_BTD.grad!;
        leaf_BTD.grad = null;
        return gradient_BTD;
    }
}
