using T2R.Data;
using T2R.Mixers;
using T2R.Models;
using T2R.Ops.Fp8;
using T2R.Training.Memory;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>Next-token training of the whole model, with or without a teacher's predictions.</summary>
internal sealed class TokenStageLoss : IStageLoss
{
    private readonly TrainingOptions _options;
    private readonly CausalLM? _teacher;
    private readonly BlockwiseBackward _blocks;
    private readonly NextTokenLoss _loss;

    public TokenStageLoss(
        TrainingOptions options, CausalLM model, CausalLM? teacher, IReadOnlyList<TrainedWeight> trained, int recorded, GradientFlow flow, Fp8Scales? scales = null)
    {
        _options = options;
        _teacher = options.Distillation is { Weight: > 0 } ? teacher : null;
        _blocks = new BlockwiseBackward(model, trained, options, recorded, flow, scales);
        _loss = new NextTokenLoss(model, trained, flow, _teacher, _teacher is null ? null : options.Distillation);
    }

    /// <inheritdoc />
    public StepLoss Backward(Batch batch, double scale)
    {
        using var scope = NewDisposeScope();
        var loss = new StepLoss();
        using var context = new SequenceContext(
            batch.Ids.shape[0], batch.Ids.shape[1], batch.Ids.device, _options.ResetAtDocuments ? batch.DocumentStarts : null) { Workspace = BlockMemory.WorkspaceOf(_options) };
        var teacher_BTD = TeacherResidual(batch.Ids, context);
        var x_BTD = _blocks.Forward(batch.Ids, context);
        var gradient_BTD = _loss.Backward(x_BTD, teacher_BTD, batch.Ids, scale, loss);
        teacher_BTD?.Dispose();
        x_BTD.Dispose();
        if (_blocks.IsNeeded)
        {
            _blocks.Backward(gradient_BTD, batch.Ids, context);
        }

        return loss;
    }

    /// <inheritdoc />
    public void Dispose() => _blocks.Dispose();

    // Its logits are made chunk by chunk beside the student's.
    private Tensor? TeacherResidual(Tensor ids_BT, SequenceContext context)
    {
        using var _ = no_grad();
        return _teacher?.Residual(ids_BT, context);
    }
}
