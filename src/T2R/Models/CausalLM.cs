using T2R.Mixers;
using T2R.Ops;
using static TorchSharp.torch;

namespace T2R.Models;

/// <summary>A causal language model: embedding, blocks, norm, head. Which mixer a block has is all that tells a transformer from a recurrent model.</summary>
public sealed class CausalLM : IDisposable
{
    /// <summary>Builds the model over weights, which it takes over.</summary>
    /// <param name="config">The shape.</param>
    /// <param name="weights">Its weights.</param>
    public CausalLM(ModelConfig config, WeightSet weights)
    {
        Config = config;
        Weights = weights;
        Blocks = [.. Enumerable.Range(0, config.Layers).Select(i => new Block(config, weights, i))];
    }

    /// <summary>The shape.</summary>
    public ModelConfig Config { get; }

    /// <summary>The weights.</summary>
    public WeightSet Weights { get; }

    /// <summary>The blocks, first to last.</summary>
    public IReadOnlyList<Block> Blocks { get; }

    /// <summary>Where the model runs.</summary>
    public Device Device => Weights[WeightLayout.Embedding].device;

    /// <summary>The head, <c>[V, D]</c>: the embedding itself when tied.</summary>
    public Tensor HeadWeight => Weights[Config.TieWordEmbeddings ? WeightLayout.Embedding : WeightLayout.Head];

    /// <summary>Ids <c>[B, T]</c> → the residual stream <c>[B, T, D]</c>.</summary>
    public Tensor Embed(Tensor ids_BT) =>
        Weights[WeightLayout.Embedding].index_select(0, ids_BT.flatten()).view(ids_BT.shape[0], ids_BT.shape[1], Config.HiddenSize);

    /// <summary>The residual stream after the last block → what the head reads, <c>[B, T, D]</c>.</summary>
    public Tensor FinalNorm(Tensor x_BTD) => RmsNorm.Apply(x_BTD, Weights[WeightLayout.Norm], Config.NormEpsilon);

    /// <summary>Runs the model.</summary>
    /// <param name="ids_BT">int64 <c>[B, T]</c>.</param>
    /// <param name="context">What all layers share.</param>
    /// <param name="state">Continued from and updated; or null.</param>
    /// <param name="lastOnly">Whether only the last token's logits are wanted, as in reading a prompt.</param>
    /// <returns>fp32 logits (fp64 of an fp64 model), <c>[B, T, V]</c>, or <c>[B, 1, V]</c>.</returns>
    public Tensor Forward(Tensor ids_BT, SequenceContext context, ModelState? state = null, bool lastOnly = false)
    {
        using var scope = NewDisposeScope();
        var x_BTD = Residual(ids_BT, context, state);
        state?.Advance(ids_BT.shape[1]);
        if (lastOnly)
        {
            x_BTD = x_BTD.narrow(1, x_BTD.shape[1] - 1, 1);
        }

        return Logits(x_BTD).MoveToOuterDisposeScope();
    }

    /// <summary>Runs embedding and blocks.</summary>
    /// <param name="ids_BT">int64 <c>[B, T]</c>.</param>
    /// <param name="context">What all layers share.</param>
    /// <param name="state">Continued from; its layers are updated, its length is not.</param>
    /// <returns>The residual stream after the last block, <c>[B, T, D]</c>.</returns>
    public Tensor Residual(Tensor ids_BT, SequenceContext context, ModelState? state = null)
    {
        using var scope = NewDisposeScope();
        var x_BTD = Embed(ids_BT);
        for (int i = 0; i < Blocks.Count; i++)
        {
            var y_BTD = is_grad_enabled() ? Blocks[i].Forward(x_BTD, context, state?.Layers[i]) : Blocks[i].Advance(x_BTD, context, state?.Layers[i]);
            x_BTD.Dispose();
            x_BTD = y_BTD;
        }

        return x_BTD.MoveToOuterDisposeScope();
    }

    /// <summary>Final norm and head.</summary>
    /// <param name="x_ND">The residual stream after the last block, <c>[…, D]</c>.</param>
    /// <returns>fp32 logits (fp64 of an fp64 model), <c>[…, V]</c>.</returns>
    public Tensor Logits(Tensor x_ND)
    {
        using var scope = NewDisposeScope();
        var logits_NV = nn.functional.linear(FinalNorm(x_ND), HeadWeight);
        return (logits_NV.dtype == ScalarType.Float64 ? logits_NV : logits_NV.to(ScalarType.Float32)).MoveToOuterDisposeScope();
    }

    /// <summary>Reads the next tokens of sequences whose past a state holds.</summary>
    /// <param name="ids_BT">int64 <c>[B, T]</c>.</param>
    /// <param name="state">Continued from and updated.</param>
    /// <param name="form">The operator's form: recurrent for one token, chunk for a prompt.</param>
    /// <param name="lastOnly">Whether only the last token's logits are wanted.</param>
    /// <returns>Logits as <see cref="Forward"/> gives them.</returns>
    public Tensor Continue(Tensor ids_BT, ModelState state, Ops.GatedSlot.GatedSlotForm form, bool lastOnly = true)
    {
        using var context = new SequenceContext(ids_BT.shape[0], ids_BT.shape[1], Device, offset: state.Length, form: form);
        return Forward(ids_BT, context, state, lastOnly);
    }

    /// <summary>An empty state.</summary>
    /// <param name="batch">Sequences, B.</param>
    public ModelState CreateState(long batch) => new([.. Blocks.Select(b => b.Mixer.CreateState(batch))]);

    /// <summary>The model with adapters beside its projections, which leave it as it is until they are trained. It takes over the weights: this one must not be used any more.</summary>
    /// <param name="lora">Which, or null for none.</param>
    /// <param name="seed">Of the adapters' numbers.</param>
    public CausalLM WithAdapters(LoraConfig? lora, long seed)
    {
        if (lora is null)
        {
            return this;
        }

        var config = Config with { Lora = lora };
        return new CausalLM(config, new WeightSet(config, spec =>
        {
            if (!LoraConfig.IsAdapter(spec.Name))
            {
                return Weights[spec.Name];
            }

            using var drawn = new RandomWeight(config, spec, seed).Draw(ScalarType.Float32);
            return drawn.to(HeadWeight.dtype, Device, copy: true);
        }));
    }

    /// <summary>A weight with its adapter merged in fp32, or, without one, as it is.</summary>
    /// <param name="spec">Which weight; no adapter's own.</param>
    /// <returns>A merged one belongs to the current dispose scope, others to the model.</returns>
    public Tensor Merged(WeightSpec spec)
    {
        if (Config.Lora is not { } lora || !lora.Adapts(spec))
        {
            return Weights[spec.Name];
        }

        using var _ = no_grad();
        var (a, b) = lora.Of(spec);
        return lora.Merge(Weights[spec.Name], Weights[a.Name], Weights[b.Name]);
    }

    /// <inheritdoc />
    public void Dispose() => Weights.Dispose();
}
