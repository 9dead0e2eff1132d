using T2R.Mixers;
using T2R.Ops;
using T2R.Ops.Fp8;
using static TorchSharp.torch;

namespace T2R.Models;

/// <summary>One block: the residual stream plus what its mixer, then its MLP, make of it. The unit of recomputation.</summary>
public sealed class Block
{
    private readonly Tensor _mixerNorm;
    private readonly double _epsilon;

    internal Block(ModelConfig config, WeightSet weights, int index)
    {
        _epsilon = config.NormEpsilon;
        _mixerNorm = Weight("mixer_norm");
        Mlp = new Mlp(Weight("mlp_norm"), config.NormEpsilon, Projection("mlp.gate_proj"), Projection("mlp.up_proj"), Projection("mlp.down_proj"));
        Mixer = config.Mixers[index] switch
        {
            SoftmaxAttentionConfig softmax => new SoftmaxAttention(
                softmax, Projection("mixer.q_proj"), Projection("mixer.k_proj"), Projection("mixer.v_proj"), Projection("mixer.o_proj")),
            GatedSlotAttentionConfig slots => new GatedSlotAttention(
                slots, Projection("mixer.q_proj"), Projection("mixer.k_proj"), Projection("mixer.v_proj"), Projection("mixer.f_proj"), Weight("mixer.g_norm"), Projection("mixer.o_proj")),
            var other => throw new ArgumentException($"no mixer for {other.GetType().Name}", nameof(config)),
        };

        Tensor Weight(string name) => weights[WeightLayout.OfBlock(index, name)];
        Projection Projection(string name) => weights.Projection(config, WeightLayout.OfBlock(index, name));
    }

    /// <summary>What mixes tokens.</summary>
    public ITokenMixer Mixer { get; }

    /// <summary>What maps each token by itself.</summary>
    public Mlp Mlp { get; }

    /// <summary>Runs the block, <c>[B, T, D]</c> → <c>[B, T, D]</c>.</summary>
    /// <param name="x_BTD">The residual stream.</param>
    /// <param name="context">What all layers share.</param>
    /// <param name="state">The mixer's state, updated; or null.</param>
    /// <param name="tape">Records; or null.</param>
    /// <param name="fp8">Scales to multiply with weights in FP8 with; null for the weights' own type.</param>
    public Tensor Forward(Tensor x_BTD, SequenceContext context, IMixerState? state = null, Tape? tape = null, Fp8Layer? fp8 = null)
    {
        using var scope = NewDisposeScope();
        var mixed_BTD = x_BTD + Mix(x_BTD, context, state, tape, fp8);
        return FeedForward(mixed_BTD, context, tape, fp8, overwrites: true).MoveToOuterDisposeScope();
    }

    /// <summary>Runs the block as <see cref="Forward"/> does, in the memory of the residual stream, which is not to be read again. For forwards without a graph.</summary>
    /// <param name="x_BTD">The residual stream, <c>[B, T, D]</c>, dense.</param>
    /// <param name="context">What all layers share.</param>
    /// <param name="state">The mixer's state, updated; or null.</param>
    /// <returns>The stream after the block.</returns>
    public Tensor Advance(Tensor x_BTD, SequenceContext context, IMixerState? state = null)
    {
        using var scope = NewDisposeScope();
        using (var input_BTD = MixerInput(x_BTD))
        {
            Mixer.AddTo(x_BTD, input_BTD, context, state);
        }

        return FeedForward(x_BTD, context, overwrites: true).MoveToOuterDisposeScope();
    }

    /// <summary>The first half: what the mixer makes of the residual stream, <c>[B, T, D]</c>, not yet added to it.</summary>
    /// <param name="x_BTD">The residual stream.</param>
    /// <param name="context">What all layers share.</param>
    /// <param name="state">The mixer's state, updated; or null.</param>
    /// <param name="tape">Keeps or gives what was dear to compute; or null.</param>
    /// <param name="fp8">As <see cref="Forward"/> takes it.</param>
    public Tensor Mix(Tensor x_BTD, SequenceContext context, IMixerState? state = null, Tape? tape = null, Fp8Layer? fp8 = null)
    {
        using var input_BTD = MixerInput(x_BTD);
        return Mixer.Forward(input_BTD, context, state, tape, fp8);
    }

    /// <summary>The second half: the residual stream with the mixer's output in it, and what the MLP makes of it added, <c>[B, T, D]</c>.</summary>
    /// <param name="mixed_BTD">The residual stream after the first half.</param>
    /// <param name="context">What all layers share.</param>
    /// <param name="tape">As <see cref="Mlp.Forward"/> takes it.</param>
    /// <param name="fp8">Likewise.</param>
    /// <param name="overwrites">Likewise.</param>
    public Tensor FeedForward(Tensor mixed_BTD, SequenceContext context, Tape? tape = null, Fp8Layer? fp8 = null, bool overwrites = false) =>
        Mlp.Forward(mixed_BTD, tape, context.Workspace, fp8, overwrites);

    /// <summary>What the mixer sees of the residual stream: its norm, <c>[B, T, D]</c>.</summary>
    public Tensor MixerInput(Tensor x_BTD) => RmsNorm.Apply(x_BTD, _mixerNorm, _epsilon);
}
