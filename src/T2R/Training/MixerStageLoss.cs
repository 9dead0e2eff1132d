using T2R.Data;
using T2R.Mixers;
using T2R.Models;
using T2R.Ops.Fp8;
using T2R.Training.Memory;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>
/// Attention transfer: the teacher runs the batch, and every mixer that differs from the teacher's learns by itself to give, from the same residual stream, what the
/// teacher's gives. Loss of a layer: mean (y − y*)² / mean y*², so that 1 is what an output of zeros has. Each layer's backward follows its forward at once.
/// </summary>
internal sealed class MixerStageLoss : IStageLoss
{
    private readonly TrainingOptions _options;
    private readonly CausalLM _model;
    private readonly CausalLM _teacher;
    private readonly GradientFlow _flow;
    private readonly Fp8Scales? _scales;
    private readonly List<TrainedWeight>[] _weights;
    private readonly int[] _layers;

    public MixerStageLoss(TrainingOptions options, CausalLM model, CausalLM teacher, IReadOnlyList<TrainedWeight> trained, GradientFlow flow, Fp8Scales? scales)
    {
        (_options, _model, _teacher, _flow, _scales) = (options, model, teacher, flow, scales);
        _weights = [.. Enumerable.Range(0, model.Blocks.Count).Select(i => trained.Where(w => WeightLayout.IsOfBlock(i, w.Name)).ToList())];
        _layers = [.. NewMixers(model.Config, teacher.Config).Where(i => _weights[i].Count > 0)];
    }

    /// <summary>The blocks whose mixer is not the teacher's.</summary>
    public static IEnumerable<int> NewMixers(ModelConfig model, ModelConfig teacher) =>
        Enumerable.Range(0, model.Layers).Where(i => model.Mixers[i] != teacher.Mixers[i]);

    /// <inheritdoc />
    public StepLoss Backward(Batch batch, double scale)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var loss = new StepLoss();
        using var context = new SequenceContext(
            batch.Ids.shape[0], batch.Ids.shape[1], batch.Ids.device, _options.ResetAtDocuments ? batch.DocumentStarts : null) { Workspace = BlockMemory.WorkspaceOf(_options) };
        var x_BTD = _teacher.Embed(batch.Ids);
        for (int i = 0; i <= _layers[^1]; i++)
        {
            using var layerScope = NewDisposeScope();
            var target_BTD = _teacher.Blocks[i].Mix(x_BTD, context);
            if (_layers.Contains(i))
            {
                Imitate(i, x_BTD, target_BTD, context, scale, loss);
            }

            x_BTD.add_(target_BTD);
            var next_BTD = _teacher.Blocks[i].FeedForward(x_BTD, context, overwrites: true).MoveToOuterDisposeScope();
            x_BTD.Dispose();
            x_BTD = next_BTD;
        }

        x_BTD.Dispose();
        return loss;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        // Nothing outlives a backward.
    }

    private void Imitate(int layer, Tensor x_BTD, Tensor target_BTD, SequenceContext context, double scale, StepLoss loss)
    {
        using var scope = NewDisposeScope();
        _flow.Expect(_weights[layer]);
        var block = _model.Blocks[layer];
        var input_BTD = block.MixerInput(x_BTD);
        Tensor y_BTD;
        using (enable_grad())
        {
            y_BTD = block.Mixer.Forward(input_BTD, context, null, fp8: _scales?[layer]);
        }

        var wide_BTD = Wide(target_BTD);
        var difference_BTD = Wide(y_BTD).detach() - wide_BTD;
        var power = wide_BTD.square().mean();
        loss.Add($"mixer.{layer}", 1.0 / _layers.Length, difference_BTD.square().mean() / power);

        // ∂ mean(d²)/power / ∂y = 2 d / (n · power)
        double factor = 2 * scale / (_layers.Length * (double)difference_BTD.numel());
        Interop.Autograd.Backward([y_BTD], [(difference_BTD * (factor / power)).to(y_BTD.dtype)]);
        _flow.Take(_weights[layer]);
        _flow.Sample();
        _flow.Flush();
    }

    private static Tensor Wide(Tensor t) => t.dtype == ScalarType.Float64 ? t : t.to(ScalarType.Float32);
}
