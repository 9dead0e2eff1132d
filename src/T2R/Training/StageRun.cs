using T2R.Ops.Fp8;
using T2R.Training.Optimizers;

namespace T2R.Training;

/// <summary>A stage under way: its weights, their optimizer and its loss. While it lives, exactly the trained weights require gradients.</summary>
internal sealed class StageRun : IDisposable
{
    private readonly IReadOnlyList<TrainedWeight> _trained;

    /// <summary>Begins a stage. If that fails, weights and memory are as they were before.</summary>
    /// <param name="plan">Which.</param>
    /// <param name="options">Of the run.</param>
    /// <param name="inputs">Of the run.</param>
    /// <param name="gradients">Those of the steps; borrowed.</param>
    /// <param name="recorded">How many blocks a selective recomputation records.</param>
    /// <param name="scales">Those of the run, with which its blocks multiply in FP8; borrowed. Null for the weights' own type.</param>
    public StageRun(StagePlan plan, TrainingOptions options, TrainingInputs inputs, Gradients gradients, int recorded, Fp8Scales? scales = null)
    {
        Plan = plan;
        _trained = WeightChoice.Of(options, plan.Stage, inputs.Model.Weights);
        try
        {
            foreach (var weight in _trained)
            {
                weight.Tensor.requires_grad = true;
            }

            Optimizer = new AdamW(options.Optimizer, _trained);
            Flow = new GradientFlow(gradients, options.Optimizer.InBackward ? Optimizer : null, inputs.Model.Device);
            Loss = plan.Stage.Objective switch
            {
                StageObjective.Tokens => new TokenStageLoss(options, inputs.Model, inputs.Teacher, _trained, recorded, Flow, scales),
                StageObjective.Mixers => new MixerStageLoss(options, inputs.Model, inputs.Teacher!, _trained, Flow, scales),
                var other => throw new ArgumentOutOfRangeException(nameof(plan), other, "no such objective"),
            };
            Step = new TrainingStep(options, Loss, Flow, Optimizer, gradients, scales);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Which stage it is.</summary>
    public StagePlan Plan { get; }

    /// <summary>The optimizer of the trained weights.</summary>
    public IOptimizer Optimizer { get; }

    /// <summary>Where the gradients go.</summary>
    public GradientFlow Flow { get; }

    /// <summary>What is minimised.</summary>
    public IStageLoss Loss { get; }

    /// <summary>Runs its steps.</summary>
    public TrainingStep Step { get; }

    /// <inheritdoc />
    public void Dispose()
    {
        // A constructor that failed has not come to all of them.
        Loss?.Dispose();
        Flow?.Dispose();
        Optimizer?.Dispose();
        foreach (var weight in _trained)
        {
            weight.Tensor.requires_grad = false;
        }
    }
}
