using T2R.Mixers;
using T2R.Models;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>
/// A model's forward and backward one block at a time, so that only one block's graph need exist. Each block's input cuts the graph; the backward goes from the last
/// block to the first, handing the gradient of each input to the block before. What lies below the lowest trained weight is run forward only. One micro-batch at a
/// time.
/// </summary>
internal sealed class BlockwiseBackward
{
    private readonly CausalLM _model;
    private readonly RecomputePolicy _policy;
    private readonly Gradients _gradients;
    private readonly TrainedWeight? _embedding;
    private readonly List<TrainedWeight>[] _weights;
    private readonly (Tensor Input, Tensor? Output)[] _kept;
    private readonly int _lowest;

    /// <summary>Plans the backward.</summary>
    /// <param name="model">The model; its trained weights require gradients, no others do.</param>
    /// <param name="trained">The trained weights.</param>
    /// <param name="policy">What to compute again.</param>
    /// <param name="gradients">Receives the gradients.</param>
    public BlockwiseBackward(CausalLM model, IReadOnlyList<TrainedWeight> trained, RecomputePolicy policy, Gradients gradients)
    {
        (_model, _policy, _gradients) = (model, policy, gradients);
        _embedding = trained.FirstOrDefault(w => w.Name == WeightLayout.Embedding);
        _weights = [.. Enumerable.Range(0, model.Blocks.Count).Select(i => trained.Where(w => WeightLayout.IsOfBlock(i, w.Name)).ToList())];
        _kept = new (Tensor, Tensor?)[_weights.Length];
        int first = Array.FindIndex(_weights, w => w.Count > 0);
        _lowest = _embedding is not null ? 0 : first < 0 ? _weights.Length : first;
    }

    /// <summary>Whether any weight below the final norm is trained, so that <see cref="Backward"/> is needed at all.</summary>
    public bool IsNeeded => _embedding is not null || _lowest < _weights.Length;

    /// <summary>Ids <c>[B, T]</c> → the residual stream after the last block, <c>[B, T, D]</c>, cut off from the graph.</summary>
    public Tensor Forward(Tensor ids_BT, SequenceContext context)
    {
        Tensor x_BTD;
        using (no_grad())
        {
            x_BTD = _model.Embed(ids_BT);
        }

        for (int i = 0; i < _kept.Length; i++)
        {
            // The last block's backward comes at once, so it keeps its graph under either policy.
            bool keepGraph = i >= _lowest && (_policy == RecomputePolicy.None || i == _kept.Length - 1);
            using var _ = set_grad_enabled(keepGraph);
            var input_BTD = Leaf(x_BTD, i);
            var output_BTD = _model.Blocks[i].Forward(input_BTD, context);
            x_BTD.Dispose();
            _kept[i] = (input_BTD, keepGraph ? output_BTD : null);
            x_BTD = keepGraph ? output_BTD.detach() : output_BTD;
            if (i < _lowest)
            {
                input_BTD.Dispose();
            }
        }

        return x_BTD;
    }

    /// <summary>Backward through the blocks and the embedding of the last <see cref="Forward"/>.</summary>
    /// <param name="gradient_BTD">The gradient of what that returned; taken over.</param>
    /// <param name="ids_BT">The same ids.</param>
    /// <param name="context">The same context.</param>
    public void Backward(Tensor gradient_BTD, Tensor ids_BT, SequenceContext context)
    {
        using var _ = enable_grad();
        for (int i = _kept.Length - 1; i >= _lowest; i--)
        {
            using var scope = NewDisposeScope();
            var (input_BTD, output_BTD) = _kept[i];
            output_BTD ??= _model.Blocks[i].Forward(input_BTD, context);
            Interop.Autograd.Backward([output_BTD], [gradient_BTD]);
            gradient_BTD.Dispose();
            output_BTD.Dispose();
            gradient_BTD = input_BTD.requires_grad ? input_BTD.grad!.DetachFromDisposeScope() : gradient_BTD;
            input_BTD.Dispose();
            _gradients.Take(_weights[i]);
        }

        if (_embedding is not null)
        {
            using var x_BTD = _model.Embed(ids_BT);
            Interop.Autograd.Backward([x_BTD], [gradient_BTD]);
            gradient_BTD.Dispose();
            _gradients.Take([_embedding]);
        }
    }

    // The input of the lowest block needs no gradient unless the embedding does.
    private Tensor Leaf(Tensor x_BTD, int block) =>
        x_BTD.detach().requires_grad_(block > _lowest || (block == _lowest && _embedding is not null));
}
