using T2R.Mixers;
using T2R.Models;
using T2R.Ops.GatedSlot;
using static TorchSharp.torch;

namespace T2R.Generation;

/// <summary>Logits of every token of given texts, for comparison with other implementations.</summary>
public static class AllLogits
{
    /// <summary>Runs the model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="ids_BT">int64 <c>[B, T]</c>, on any device.</param>
    /// <param name="form">Recurrent takes the path of decoding, one token after another with a state; the others take all tokens at once.</param>
    /// <param name="progress">Hears of the tokens done.</param>
    /// <param name="cancellation">Stops between tokens.</param>
    /// <returns>fp32 <c>[B, T, V]</c> on the CPU, outside any dispose scope: the caller disposes it.</returns>
    /// <exception cref="OperationCanceledException">The work was stopped.</exception>
    public static Tensor Of(CausalLM model, Tensor ids_BT, GatedSlotForm form, IProgress<StageProgress>? progress = null, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var onDevice_BT = ids_BT.to(model.Device);
        long batch = ids_BT.shape[0], length = ids_BT.shape[1];
        if (form != GatedSlotForm.Recurrent)
        {
            using var context = new SequenceContext(batch, length, model.Device, form: form);
            return model.Forward(onDevice_BT, context).to(ScalarType.Float32).cpu().DetachFromDisposeScope();
        }

        var logits_BTV = empty([batch, length, model.Config.VocabularySize], ScalarType.Float32);
        using var state = model.CreateState(batch);
        for (long t = 0; t < length; t++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var step = NewDisposeScope();
            logits_BTV.narrow(1, t, 1).copy_(model.Continue(onDevice_BT.narrow(1, t, 1), state, form));
            progress?.Report(new StageProgress("logits", batch * (t + 1), batch * length, "tokens"));
        }

        return logits_BTV.DetachFromDisposeScope();
    }
}
