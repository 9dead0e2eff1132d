using T2R.Models;

namespace T2R.Training;

/// <summary>Finds options that change nothing, or do what their author may not have meant.</summary>
internal static class IdleOptions
{
    /// <summary>A sentence for each.</summary>
    public static IEnumerable<string> In(TrainingOptions options, ModelConfig model, bool hasHeldOut, bool onCard)
    {
        var stages = StagePlan.Of(options);
        if (options.EvaluateEvery > 0 && !hasHeldOut)
        {
            yield return "training.evaluate_every has no effect: there is no held-out text.";
        }

        if (options.KeepLast == 0)
        {
            yield return "training.keep_last is 0: no checkpoint is written, so a run that is stopped begins anew.";
        }

        if (options.OffloadInputs && !onCard)
        {
            yield return "training.offload_inputs has no effect: the model is on the CPU.";
        }
        else if (options.OffloadInputs && options.Recompute == RecomputePolicy.None)
        {
            yield return "training.offload_inputs has no effect: with recompute none, blocks keep their graphs, inputs and all.";
        }

        foreach (string sentence in Fp8Support.Idle(options, model, onCard))
        {
            yield return sentence;
        }

        foreach (long ids in options.EvaluateAt.Where(ids => !hasHeldOut || ids < options.TokensPerStep || ids / options.TokensPerStep > options.Steps))
        {
            yield return !hasHeldOut
                ? $"training.evaluate_at {ids} has no effect: there is no held-out text."
                : $"training.evaluate_at {ids} has no effect: the run reads {options.TokensPerStep} tokens a step, {options.TokensPerStep * options.Steps} in all.";
        }

        if (options.Optimizer.Offload && !onCard)
        {
            yield return "training.optimizer.offload has no effect: the model is on the CPU.";
        }

        if (options.Distillation is { } distillation && (distillation.Weight == 0 || stages.All(s => s.Stage.Objective == StageObjective.Mixers)))
        {
            yield return $"training.distillation has no effect: {(distillation.Weight == 0 ? "its weight is 0" : "no stage has the objective tokens")}.";
        }

        foreach (var plan in stages.Where(s => options.WarmupSteps >= s.Steps))
        {
            string shortened = options.WarmupSteps > plan.Steps ? "the warm-up is shortened to these, and " : string.Empty;
            yield return $"training.warmup_steps is {options.WarmupSteps}, and the stage '{plan.Stage.Name}' has {plan.Steps} steps: {shortened}its learning rate never falls.";
        }

        var names = WeightLayout.Of(model).Select(s => s.Name).ToList();
        for (int i = 0; i < options.Groups.Length; i++)
        {
            var later = options.Groups[(i + 1)..];
            if (names.Where(n => NamePattern.Matches(options.Groups[i].Pattern, n)).All(n => later.Any(g => NamePattern.Matches(g.Pattern, n))))
            {
                yield return $"training.groups[{i}] ('{options.Groups[i].Pattern}') has no effect: later groups match all its weights, and the last match counts alone.";
            }
        }
    }
}
