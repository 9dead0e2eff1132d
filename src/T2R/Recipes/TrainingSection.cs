using T2R.Models;
using T2R.Training;

namespace T2R.Recipes;

/// <summary>Reads what a recipe says of training. The window's length and the order's seed are the data's; ranges and weight names are checked against the model.</summary>
internal static class TrainingSection
{
    public static TrainingOptions Read(YamlSection yaml, DataSection data)
    {
        var defaults = new TrainingOptions { Steps = 1 };
        var options = new TrainingOptions
        {
            Steps = yaml.Count("steps"),
            WindowLength = data.WindowLength,
            Seed = (long)data.Seed,
            MicroBatchSize = yaml.Count("micro_batch_size", defaults.MicroBatchSize),
            AccumulationSteps = yaml.Count("accumulation_steps", defaults.AccumulationSteps),
            Optimizer = yaml.Section("optimizer") is { } optimizer ? Optimizer(optimizer) : defaults.Optimizer,
            ClipNorm = yaml.Number("clip_norm", defaults.ClipNorm),
            WarmupSteps = yaml.Count("warmup_steps", defaults.WarmupSteps, least: 0),
            FloorRatio = yaml.Number("floor_ratio", defaults.FloorRatio, 0, 1),
            Groups = [.. yaml.Sections("groups").Select(Group)],
            Stages = [.. yaml.Sections("stages").Select(Stage)],
            Recompute = yaml.Choice("recompute", defaults.Recompute),
            OffloadInputs = yaml.Flag("offload_inputs", defaults.OffloadInputs),
            Fp8 = yaml.Flag("fp8", defaults.Fp8),
            Lora = yaml.Section("lora") is { } lora ? Lora(lora) : null,
            Distillation = yaml.Section("distillation") is { } distillation ? Distillation(distillation) : null,
            ResetAtDocuments = yaml.Flag("reset_at_documents", defaults.ResetAtDocuments),
            EvaluateEvery = yaml.Count("evaluate_every", defaults.EvaluateEvery, least: 0),
            EvaluateAt = [.. yaml.Wholes("evaluate_at", least: 1)],
            EvaluationWindows = yaml.Count("evaluation_windows", defaults.EvaluationWindows),
            CheckpointEvery = yaml.Count("checkpoint_every", defaults.CheckpointEvery, least: 0),
            KeepLast = yaml.Count("keep_last", defaults.KeepLast, least: 0),
            LogEvery = yaml.Count("log_every", defaults.LogEvery),
        };
        yaml.RefuseTheRest();
        return options;
    }

    private static AdamWOptions Optimizer(YamlSection yaml)
    {
        var defaults = new AdamWOptions();
        var options = new AdamWOptions
        {
            Name = yaml.Choice("name", defaults.Name),
            InBackward = yaml.Flag("in_backward", defaults.InBackward),
            Offload = yaml.Flag("offload", defaults.Offload),
            LearningRate = yaml.Number("learning_rate", defaults.LearningRate),
            Beta1 = yaml.Number("beta1", defaults.Beta1),
            Beta2 = yaml.Number("beta2", defaults.Beta2),
            Epsilon = yaml.Number("epsilon", defaults.Epsilon),
            WeightDecay = yaml.Number("weight_decay", defaults.WeightDecay),
        };
        yaml.RefuseTheRest();
        return options;
    }

    private static LoraConfig Lora(YamlSection yaml)
    {
        var lora = new LoraConfig(yaml.Count("rank", 16), yaml.Number("alpha", 32), [.. yaml.Texts("targets")]);
        yaml.RefuseTheRest();
        return lora;
    }

    private static DistillationOptions Distillation(YamlSection yaml)
    {
        var defaults = new DistillationOptions();
        var options = new DistillationOptions
        {
            Weight = yaml.Number("weight", defaults.Weight),
            Temperature = yaml.Number("temperature", defaults.Temperature),
        };
        yaml.RefuseTheRest();
        return options;
    }

    private static ParameterGroup Group(YamlSection yaml)
    {
        var group = new ParameterGroup(yaml.Text("pattern"))
        {
            LearningRateMultiplier = yaml.Number("learning_rate_multiplier", 1),
            WeightDecay = yaml.Has("weight_decay") ? yaml.Number("weight_decay") : null,
            Frozen = yaml.Flag("frozen", false),
        };
        yaml.RefuseTheRest();
        return group;
    }

    private static TrainingStage Stage(YamlSection yaml)
    {
        var stage = new TrainingStage(yaml.Text("name"))
        {
            Steps = yaml.OptionalCount("steps"),
            LearningRateFactor = yaml.Number("learning_rate_factor", 1),
            Trained = yaml.Has("trained") ? [.. yaml.Texts("trained")] : ["*"],
            Objective = yaml.Choice("objective", StageObjective.Tokens),
        };
        yaml.RefuseTheRest();
        return stage;
    }
}
