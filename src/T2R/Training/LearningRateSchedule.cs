using System.Collections.Immutable;

namespace T2R.Training;

/// <summary>
/// The learning rate, a pure function of the step: in each stage it rises linearly over the warm-up, then falls along half a cosine to the floor, which it
/// reaches at the stage's last step.
/// </summary>
/// <param name="options">Checked options.</param>
public sealed class LearningRateSchedule(TrainingOptions options)
{
    private readonly ImmutableArray<StagePlan> _stages = StagePlan.Of(options);

    /// <summary>The rate of a step, before the multipliers of groups.</summary>
    /// <param name="step">From 0 to the run's steps − 1.</param>
    public double At(int step)
    {
        var plan = _stages.Last(s => s.FirstStep <= step && s.Steps > 0);
        double peak = options.Optimizer.LearningRate * plan.Stage.LearningRateFactor;
        int local = step - plan.FirstStep;
        int warmup = Math.Min(options.WarmupSteps, plan.Steps);
        if (local < warmup)
        {
            return peak * (local + 1) / warmup;
        }

        double progress = (double)(local - warmup + 1) / Math.Max(1, plan.Steps - warmup);
        double cosine = 0.5 * (1 + Math.Cos(Math.PI * Math.Min(1, progress)));
        return peak * (options.FloorRatio + ((1 - options.FloorRatio) * cosine));
    }
}
