using T2R.Models;

namespace T2R.Training;

/// <summary>Finds what is wrong with options, all of it.</summary>
internal static class TrainingOptionsCheck
{
    public static void Run(TrainingOptions options, ModelConfig model, Problems problems)
    {
        AtLeast("window_length", options.WindowLength, 2);
        AtLeast("micro_batch_size", options.MicroBatchSize, 1);
        AtLeast("accumulation_steps", options.AccumulationSteps, 1);
        AtLeast("steps", options.Steps, 1);
        AtLeast("warmup_steps", options.WarmupSteps, 0);
        AtLeast("evaluate_every", options.EvaluateEvery, 0);
        AtLeast("evaluation_windows", options.EvaluationWindows, 1);
        AtLeast("checkpoint_every", options.CheckpointEvery, 0);
        AtLeast("keep_last", options.KeepLast, 0);
        AtLeast("log_every", options.LogEvery, 1);
        Within("clip_norm", options.ClipNorm, 0, double.MaxValue);
        Within("floor_ratio", options.FloorRatio, 0, 1);
        Within("optimizer.learning_rate", options.Optimizer.LearningRate, 0, 10);
        Within("optimizer.beta1", options.Optimizer.Beta1, 0, 0.999999);
        Within("optimizer.beta2", options.Optimizer.Beta2, 0, 0.999999);
        Within("optimizer.epsilon", options.Optimizer.Epsilon, 0, 1);
        Within("optimizer.weight_decay", options.Optimizer.WeightDecay, 0, 10);
        Within("distillation.weight", options.Distillation?.Weight ?? 0, 0, 1);
        Within("distillation.temperature", options.Distillation?.Temperature ?? 1, 0.01, 100);
        if (options.Optimizer.InBackward && options.AccumulationSteps > 1)
        {
            problems.Add(
                $"training.optimizer.in_backward excludes accumulation: a weight that has moved cannot wait for more gradients, and training.accumulation_steps is {options.AccumulationSteps}. Make it 1 with a larger micro_batch_size, or in_backward false.");
        }

        if (options.Fp8 && options.Lora is not null)
        {
            problems.Add("training.fp8 excludes training.lora: frozen weights would be rounded in every step for products that adapters do not share. Leave one of them out.");
        }

        Lora(options, model, problems);
        model = model with { Lora = options.Lora };
        Groups(options, model, problems);
        Stages(options, model, problems);

        void AtLeast(string key, int value, int least)
        {
            if (value < least)
            {
                problems.Add($"training.{key} is {value}; expected at least {least}.");
            }
        }

        void Within(string key, double value, double least, double most)
        {
            if (!(value >= least && value <= most))
            {
                problems.Add($"training.{key} is {value}; expected a number {(most == double.MaxValue ? $"of at least {least}" : $"from {least} to {most}")}.");
            }
        }
    }

    private static void Lora(TrainingOptions options, ModelConfig model, Problems problems)
    {
        if (options.Lora is not { } lora)
        {
            return;
        }

        if (lora.Rank < 1 || !(lora.Alpha > 0))
        {
            problems.Add($"training.lora has rank {lora.Rank} and alpha {lora.Alpha}; expected a rank of at least 1 and an alpha above 0.");
        }

        var able = WeightLayout.Of(model with { Lora = null }).Where(LoraConfig.CanAdapt).Select(s => s.Name).ToList();
        foreach (string target in lora.Targets.Where(t => !able.Any(name => NamePattern.Matches(t, name))))
        {
            string nearest = NearestName.Of(target, able.Select(Generalised).Distinct()) is { } name ? $" Did you mean '{name}'?" : "";
            problems.Add($"training.lora.targets: '{target}' matches no projection that can have an adapter; these are like 'blocks.*.mixer.q_proj.weight'.{nearest}");
        }

        if (lora.Targets.IsEmpty)
        {
            problems.Add("training.lora.targets is empty; name at least one projection, such as 'blocks.*.mixer.q_proj.weight'.");
        }
    }

    private static void Groups(TrainingOptions options, ModelConfig model, Problems problems)
    {
        for (int i = 0; i < options.Groups.Length; i++)
        {
            var group = options.Groups[i];
            MustMatch($"training.groups[{i}].pattern", group.Pattern, model, problems);
            if (!(group.LearningRateMultiplier >= 0) || !(group.WeightDecay is null or >= 0))
            {
                problems.Add($"training.groups[{i}] ('{group.Pattern}') has a negative learning_rate_multiplier or weight_decay; expected 0 or more.");
            }
        }
    }

    private static void Stages(TrainingOptions options, ModelConfig model, Problems problems)
    {
        int sum = 0;
        for (int i = 0; i < options.Stages.Length; i++)
        {
            var stage = options.Stages[i];
            string key = $"training.stages[{i}] ('{stage.Name}')";
            bool last = i == options.Stages.Length - 1;
            if (stage.Steps is null ? !last : stage.Steps < 1)
            {
                problems.Add($"{key}: steps is {stage.Steps?.ToString() ?? "missing"}; expected at least 1, and only the last stage may leave it out.");
            }

            sum += stage.Steps ?? 0;
            if (last && (stage.Steps is null ? sum >= options.Steps : sum != options.Steps))
            {
                problems.Add($"{key}: the stages have {sum} steps together and training.steps is {options.Steps}; leave out the last stage's steps, or make the sums agree.");
            }

            if (!(stage.LearningRateFactor >= 0))
            {
                problems.Add($"{key}: learning_rate_factor is {stage.LearningRateFactor}; expected 0 or more.");
            }

            foreach (string pattern in stage.Trained)
            {
                MustMatch($"{key}.trained", pattern, model, problems);
            }

            if (!WeightLayout.Of(model).Any(spec => WeightChoice.IsTrained(options, stage, spec.Name)))
            {
                problems.Add($"{key}: every weight is frozen; name at least one in trained that no group freezes.");
            }
        }
    }

    private static void MustMatch(string key, string pattern, ModelConfig model, Problems problems)
    {
        var names = WeightLayout.Of(model).Select(spec => spec.Name).ToList();
        if (!names.Any(name => NamePattern.Matches(pattern, name)))
        {
            string nearest = NearestName.Of(pattern, names.Concat(names.Select(Generalised)).Distinct()) is { } name ? $" Did you mean '{name}'?" : "";
            problems.Add($"{key}: '{pattern}' matches no weight; names are like 'blocks.*.mixer.q_proj.weight', 'embedding.weight'.{nearest}");
        }
    }

    // blocks.3.mixer.q_proj.weight → blocks.*.mixer.q_proj.weight
    private static string Generalised(string name) =>
        name.Split('.') is ["blocks", _, .. var rest] ? $"blocks.*.{string.Join('.', rest)}" : name;
}
