using T2R.Training.Optimizers;

namespace T2R.Training;

/// <summary>A stage under way: its weights, their optimizer and its loss. While it lives, exactly the trained weights require gradients.</summary>
internal sealed class StageRun : IDisposable
{
    private readonly IReadOnlyList<TrainedWeight> _trained;

    public StageRun(StagePlan plan, TrainingOptions options, TrainingInputs inputs, Gradients gradients, int recorded)
    {
        Plan = plan;
        _trained = WeightChoice.Of(options, plan.Stage, inputs.Model.Weights);
        foreach (var weight in _trained)
        {
            weight.Tensor.requires_grad = true;
        }

        Optimizer = new AdamW(options.Optimizer, _trained);
        Flow = new GradientFlow(gradients, options.Optimizer.InBackward ? Optimizer : null, inputs.Model.Device);
        Loss = plan.Stage.Objective switch
        {
            StageObjective.Tokens => new TokenStageLoss(options, inputs.Model, inputs.Teacher, _trained, recorded, Flow),
            StageObjective.Mixers => new MixerStageLoss(options, inputs.Model, inputs.Teacher!, _trained, Flow),
            var other => throw new ArgumentOutOfRangeException(nameof(plan), other, "no such objective"),
        };
    }

    /// <summary>Which stage it is.</summary>
    public StagePlan Plan { get; }

    /// <summary>The optimizer of the trained weights.</summary>
    public IOptimizer Optimizer { get; }

    /// <summary>Where the gradients go.</summary>
    public GradientFlow Flow { get; }

    /// <summary>What is minimised.</summary>
    public IStageLoss Loss { get; }

    /// <inheritdoc />
    public void Dispose()
    {
        Loss.Dispose();
        Flow.Dispose();
        Optimizer.Dispose();
        foreach (var weight in _trained)
        {
            weight.Tensor.requires_grad = false;
        }
    }
}
