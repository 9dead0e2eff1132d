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

    /// <summary>An empty state for this mixer.</summary>
    /// <param name="batch">Sequences, B.</param>
    IMixerState CreateState(long batch);
}
