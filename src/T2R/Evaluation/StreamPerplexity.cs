using System.Numerics;
using T2R.Data;
using T2R.Interop;
using T2R.Models;
using T2R.Mixers;
using static TorchSharp.torch;

namespace T2R.Evaluation;

/// <summary>
/// How well a model predicts one long text, read from its beginning to its end with the state carried on: whether it holds out beyond the lengths it was trained on. A recurrent model
/// needs the same memory however long the text is.
/// </summary>
/// <param name="Whole">Over all predictions.</param>
/// <param name="Positions">By the number of tokens before the prediction, from each power of two to the next.</param>
public sealed record StreamPerplexity(Perplexity Whole, IReadOnlyList<PositionLoss> Positions)
{
    /// <summary>Tokens before a prediction of the first of <see cref="Positions"/>, at most; those of the others are powers of two.</summary>
    public const int FirstPositions = 511;

    // Read at once.
    private const int Piece = 2048;

    private const string Stage = "measuring one long text";

    /// <summary>Measures. Softmax in fp32, sums in fp64; no gradients.</summary>
    /// <param name="model">The model.</param>
    /// <param name="text">The text; its first token is read and not predicted.</param>
    /// <param name="tokens">How many tokens of it, or all if there are fewer.</param>
    /// <param name="progress">Hears of the tokens predicted.</param>
    /// <param name="cancellation">Heeded between pieces of some thousand tokens.</param>
    /// <exception cref="ArgumentException">There is no prediction to measure.</exception>
    /// <exception cref="OperationCanceledException">The work was stopped.</exception>
    public static StreamPerplexity Of(CausalLM model, TokenStream text, long tokens, IProgress<StageProgress>? progress = null, CancellationToken cancellation = default)
    {
        long predictions = Math.Min(tokens, text.Count) - 1;
        ArgumentOutOfRangeException.ThrowIfLessThan(predictions, 1, nameof(tokens));
        double[] sums = new double[PlaceOf(predictions) + 1];
        using var state = model.CreateState(1);
        for (long start = 0; start < predictions; start += Piece)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            long[] ids = new long[Math.Min(Piece, predictions - start) + 1];
            text.CopyTo(start, ids);
            float[] losses = Read(model, ids, state);
            for (int i = 0; i < losses.Length; i++)
            {
                sums[PlaceOf(start + i + 1)] += losses[i];
            }

            progress?.Report(new StageProgress(Stage, start + losses.Length, predictions, "tokens"));
        }

        return new StreamPerplexity(
            new Perplexity(sums.Sum() / predictions, predictions),
            [.. sums.Select((sum, place) =>
            {
                var (first, last) = (place == 0 ? 1 : (FirstPositions + 1L) << (place - 1), Math.Min(predictions, ((FirstPositions + 1L) << place) - 1));
                return new PositionLoss(first, last, new Perplexity(sum / (last - first + 1), last - first + 1));
            })]);
    }

    private static float[] Read(CausalLM model, long[] ids, ModelState state)
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        var ids_T = tensor(ids, device: model.Device);
        long length = ids.Length - 1;
        using var context = new SequenceContext(1, length, model.Device, offset: state.Length);
        var x_1TD = model.Residual(ids_T.narrow(0, 0, length).unsqueeze(0), context, state);
        state.Advance(length);
        return TensorMemory.AsSpan<float>(Perplexity.Losses(model, x_1TD[0], ids_T.narrow(0, 1, length)).to(ScalarType.Float32).cpu()).ToArray();
    }

    // 0 up to the first positions, then one more for each doubling.
    private static int PlaceOf(long before) => before <= FirstPositions ? 0 : BitOperations.Log2((ulong)before / (FirstPositions + 1)) + 1;
}
