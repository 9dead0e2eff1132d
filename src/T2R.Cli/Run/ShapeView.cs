using T2R.Mixers;
using T2R.Models;
using T2R.Recipes;
using T2R.Training;
using T2R.Training.Memory;

namespace T2R.Cli.Run;

/// <summary>Shows what a recipe makes of a model's shape: what it trains, and the memory that takes.</summary>
internal static class ShapeView
{
    /// <summary>As the result of a dry run for a shape alone.</summary>
    public static void Show(RecipeShape shape, bool asJson)
    {
        if (asJson)
        {
            PrintJson(shape);
            return;
        }

        var table = new ScreenTable("", shape.Recipe.Name);
        table.Row("model", Model(shape));
        AddTraining(table, shape);
        AddMemory(table, shape);
        Screen.Print(table);
        Screen.Print("Nothing was done; model, text and disk were not looked at.");
    }

    /// <summary>For a program; what belongs to a run is null where a shape alone is looked at.</summary>
    public static void PrintJson(RecipeShape shape, string? run = null, int? stepsDone = null, long? sourceParameters = null, DiskPlan? disk = null)
    {
        var (training, memory) = (shape.Recipe.Training, shape.Memory);
        Screen.PrintJson(new
        {
            shape.Recipe.Name,
            Run = run,
            Device = Where(shape),
            Dtype = DtypeName.Of(shape.Dtype),
            shape.Parameters,
            shape.TrainedParameters,
            SourceParameters = sourceParameters,
            training.Steps,
            StepsDone = stepsDone,
            Tokens = Tokens(shape),
            Stages = StagePlan.Of(training).Select(s => new
            {
                s.Stage.Name,
                s.Steps,
                s.Stage.Objective,
                s.Stage.Trained,
                TrainedTensors = shape.TrainedBy(s.Stage).Count(),
                TrainedParameters = shape.TrainedBy(s.Stage).Sum(w => w.Count),
            }),
            Memory = memory.Parts.ToDictionary(p => p.Name, p => p.Bytes),
            MemoryTotal = memory.Total,
            MemoryMoment = memory.Moment,
            memory.RecordedBlocks,
            CardTotal = shape.Card?.Total,
            Disk = disk?.Parts.ToDictionary(p => p.Name, p => p.Bytes),
            DiskTotal = disk?.Total,
        });
    }

    public static string Model(RecipeShape shape)
    {
        int recurrent = shape.Config.Mixers.Count(m => m is GatedSlotAttentionConfig);
        string adapters = shape.Recipe.Training.Lora is { } lora ? $", adapters of rank {lora.Rank} among them" : string.Empty;
        return $"{shape.Parameters:N0} parameters\n{shape.Config.Layers} layers, {recurrent} of them gated slot attention\n{shape.TrainedParameters:N0} parameters are trained{adapters}";
    }

    public static void AddTraining(ScreenTable table, RecipeShape shape)
    {
        var training = shape.Recipe.Training;
        table.Row("training", $"{training.Steps:N0} steps of {training.TokensPerStep:N0} tokens, {Tokens(shape):N0} in all; {DtypeName.Of(shape.Dtype)} on {Where(shape)}");
        foreach (var stage in StagePlan.Of(training))
        {
            table.Row($"stage {stage.Stage.Name}", $"{stage.Steps:N0} steps on {stage.Stage.Objective.ToString().ToLowerInvariant()}, trains {Trained(shape, stage.Stage)}");
        }
    }

    public static void AddMemory(ScreenTable table, RecipeShape shape)
    {
        var memory = shape.Memory;
        string of = shape.Card is { } card ? $" of the card's {MemoryPart.Text(card.Total)}" : string.Empty;
        string recorded = shape.Recipe.Training.Recompute == RecomputePolicy.Selective ? $"\n{memory.RecordedBlocks} of {shape.Config.Layers} blocks keep their products" : string.Empty;
        table.Row("memory", $"{MemoryPart.Text(memory.Total)}{of}, {memory.Moment}\n{string.Join("\n", memory.Parts.Select(p => $"{MemoryPart.Text(p.Bytes)} {p.Name}"))}{recorded}");
    }

    public static string Where(RecipeShape shape) => shape.Card is null ? "cpu" : "cuda";

    public static long Tokens(RecipeShape shape) => shape.Recipe.Training.Steps * shape.Recipe.Training.TokensPerStep;

    // With adapters, a pattern says little: of what it matches, only adapters and what conversion added are trained.
    private static string Trained(RecipeShape shape, TrainingStage stage)
    {
        var weights = shape.TrainedBy(stage).ToLookup(s => LoraConfig.IsAdapter(s.Name));
        return shape.Recipe.Training.Lora is null
            ? $"{string.Join(", ", stage.Trained)}: {Count(weights[false])}"
            : $"adapters: {Count(weights[true])}; and what conversion added: {Count(weights[false])}";

        static string Count(IEnumerable<WeightSpec> some) => $"{some.Count():N0} tensors, {some.Sum(s => s.Count):N0} parameters";
    }
}
