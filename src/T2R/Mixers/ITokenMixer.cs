using T2R.Ops;
using T2R.Ops.Fp8;
using static TorchSharp.torch;

namespace T2R.Mixers;

/// <summary>What lets a token see the tokens before it: the part of a block that conversion replaces.</summary>
public interface ITokenMixer
{
    /// <summary>Mixes a stretch of tokens.</summary>
    /// <param name="x_BTD">Normalised inputs, <c>[B, T, D]</c>.</param>
    /// <param name="context">What all layers share for these tokens.</param>
    /// <param name="state">Continued from and updated when given; when null the tokens start from nothing and nothing is kept.</param>
    /// <param name="tape">Keeps or gives what was dear to compute; null for neither.</param>
    /// <param name="fp8">Scales to multiply with weights in FP8 with, as training may; null for the weights' own type.</param>
    /// <returns><c>[B, T, D]</c>, in the inputs' dtype.</returns>
    Tensor Forward(Tensor x_BTD, SequenceContext context, IMixerState? state, Tape? tape = null, Fp8Layer? fp8 = null);

    /// <summary>Adds what it makes of a stretch of tokens to the residual stream, where that lies. For forwards without a graph.</summary>
    /// <param name="stream_BTD">The stream, <c>[B, T, D]</c>, dense; overwritten.</param>
    /// <param name="x_BTD">As <see cref="Forward"/> takes it.</param>
    /// <param name="context">Likewise.</param>
    /// <param name="state">Likewise.</param>
    void AddTo(Tensor stream_BTD, Tensor x_BTD, SequenceContext context, IMixerState? state)
    {
        using var mixed_BTD = Forward(x_BTD, context, state);
        stream_BTD.add_(mixed_BTD);
    }

    /// <summary>An empty state for this mixer.</summary>
    /// <param name="batch">Sequences, B.</param>
    IMixerState CreateState(long batch);
}
