using T2R.Training.Optimizers;

namespace T2R.Training;

/// <summary>A stage under way: its weights, their optimizer and its loss. While it lives, exactly the trained weights require gradients.</summary>
internal sealed class StageRun : IDisposable
{
    private readonly IReadOnlyList<TrainedWeight> _trained;

    public StageRun(StagePlan plan, TrainingOptions options, TrainingInputs inputs, Gradients gradients)
    {
        Plan = plan;
        _trained = WeightChoice.Of(options, plan.Stage, inputs.Model.Weights);
        foreach (var weight in _trained)
        {
            weight.Tensor.requires_grad = true;
        }

        Optimizer = new AdamW(options.Optimizer, _trained);
        Loss = plan.Stage.Objective switch
        {
            StageObjective.Tokens => new TokenStageLoss(options, inputs.Model, inputs.Teacher, _trained, gradients),
            StageObjective.Mixers => new MixerStageLoss(options, inputs.Model, inputs.Teacher!, _trained, gradients),
            var other => throw new ArgumentOutOfRangeException(nameof(plan), other, "no such objective"),
        };
    }

    /// <summary>Which stage it is.</summary>
    public StagePlan Plan { get; }

    /// <summary>The optimizer of the trained weights.</summary>
    public IOptimizer Optimizer { get; }

    /// <summary>What is minimised.</summary>
    public IStageLoss Loss { get; }

    /// <inheritdoc />
    public void Dispose()
    {
        Optimizer.Dispose();
        foreach (var weight in _trained)
        {
            weight.Tensor.requires_grad = false;
        }
    }
}
