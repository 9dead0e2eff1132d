using T2R.Data;
using T2R.Mixers;
using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Evaluation;

/// <summary>How well a model predicts text: the exponential of the mean cross-entropy of the next token.</summary>
/// <param name="Loss">Mean cross-entropy, in nats a prediction.</param>
/// <param name="Predictions">How many predictions it is the mean of.</param>
public sealed record Perplexity(double Loss, long Predictions)
{
    // Logits of so many numbers exist at a time.
    private const long ChunkLogits = 1L << 22;

    /// <summary>e to the <see cref="Loss"/>.</summary>
    public double Value => Math.Exp(Loss);

    /// <summary>Passes if it is a number.</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    public void Require()
    {
        if (!double.IsFinite(Value))
        {
            throw new UserErrorException($"The loss is {Loss}, of which there is no perplexity: the model's weights are damaged, or too large for the dtype; try float32.");
        }
    }

    /// <summary>
    /// Measures windows in the chunk form: T ids give T − 1 predictions, each window starts from nothing. Softmax in fp32, sums in fp64; no gradients.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="batches">The windows, on the model's device; each batch is disposed after use.</param>
    /// <param name="resetAtDocuments">Whether states and attention begin anew at documents inside a window.</param>
    /// <exception cref="ArgumentException">There is no prediction to measure.</exception>
    public static Perplexity Of(CausalLM model, IEnumerable<Batch> batches, bool resetAtDocuments)
    {
        double sum = 0;
        long predictions = 0;
        foreach (var batch in batches)
        {
            using (batch)
            {
                sum += SumOf(model, batch, resetAtDocuments);
                predictions += batch.Ids.shape[0] * (batch.Ids.shape[1] - 1);
            }
        }

        return predictions > 0 ? new Perplexity(sum / predictions, predictions) : throw new ArgumentException("no predictions to measure", nameof(batches));
    }

    private static double SumOf(CausalLM model, Batch batch, bool resetAtDocuments)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var context = new SequenceContext(batch.Ids.shape[0], batch.Ids.shape[1], batch.Ids.device, resetAtDocuments ? batch.DocumentStarts : null);
        var x_BTD = model.Residual(batch.Ids, context);
        long length = batch.Ids.shape[1];
        var x_ND = x_BTD.narrow(1, 0, length - 1).flatten(0, 1);
        var next_N = batch.Ids.narrow(1, 1, length - 1).flatten();

        return Losses(model, x_ND, next_N).sum(ScalarType.Float64).item<double>();
    }

    /// <summary>Cross-entropies of tokens, one by one, fp32 <c>[N]</c>; of their logits some exist at a time.</summary>
    /// <param name="model">The model.</param>
    /// <param name="x_ND">The residual stream after the last block.</param>
    /// <param name="next_N">What comes after each.</param>
    internal static Tensor Losses(CausalLM model, Tensor x_ND, Tensor next_N)
    {
        using var scope = NewDisposeScope();
        int chunk = (int)Math.Max(1, ChunkLogits / model.Config.VocabularySize);
        var losses = x_ND.split(chunk).Zip(next_N.split(chunk), (x_nD, next_n) =>
        {
            using var chunkScope = NewDisposeScope();
            return nn.functional.cross_entropy(model.Logits(x_nD), next_n, reduction: nn.Reduction.None).MoveToOuterDisposeScope();
        });
        return cat([.. losses]).MoveToOuterDisposeScope();
    }
}
