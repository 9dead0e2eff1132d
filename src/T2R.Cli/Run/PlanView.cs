using T2R.Mixers;
using T2R.Models;
using T2R.Recipes;
using T2R.Training;
using T2R.Training.Memory;

namespace T2R.Cli.Run;

/// <summary>Shows what a recipe is going to do.</summary>
internal static class PlanView
{
    /// <summary>A line before the work begins.</summary>
    public static void Note(RecipePlan plan, string folder) =>
        Screen.Note($"{plan.Recipe.Name}: {Parameters(plan):N0} parameters, {Tokens(plan):N0} tokens in {plan.Recipe.Training.Steps:N0} steps, {DtypeName.Of(plan.Dtype)} on {Where(plan)}; the run lies in {folder}");

    /// <summary>The whole plan, as the result, and whether the run's folder lets it begin.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="folder">The run's folder.</param>
    /// <param name="exports">Whether the verb ends with an export.</param>
    /// <param name="elsewhere">Whether it would run on another machine, whose disk is not this one's.</param>
    /// <param name="asJson">As JSON.</param>
    /// <exception cref="UserErrorException">It would be refused.</exception>
    /// <exception cref="IOException">The disk has no room.</exception>
    public static void Show(RecipePlan plan, string folder, bool exports, bool elsewhere, bool asJson)
    {
        var problems = new Problems();
        var outlook = problems.Try(() => RunOutlook.Of(plan, folder, exports));
        var disk = DiskPlan.Of(plan, folder, exports);
        Show(plan, folder, disk, outlook?.StepsDone, asJson);
        problems.ThrowIfAny();
        try
        {
            disk.Check(plan.Recipe.Training.KeepLast);
        }
        catch (IOException e) when (elsewhere)
        {
            Screen.Warn(e.Message);
        }

        if (!asJson)
        {
            Screen.Print($"Nothing was done; without --dry-run {WhatFollows(outlook!.StepsDone, plan.Recipe.Training.Steps, exports)}.");
        }
    }

    private static string WhatFollows(int done, int steps, bool exports) =>
        done == 0 ? "this would run"
        : done < steps ? $"this would resume after step {done:N0} of {steps:N0}"
        : exports ? $"this would measure and export again, as all {steps:N0} steps are done"
        : $"nothing would be left to do, as all {steps:N0} steps are done";

    private static void Show(RecipePlan plan, string folder, DiskPlan disk, int? stepsDone, bool asJson)
    {
        var training = plan.Recipe.Training;
        var memory = plan.Memory;
        if (asJson)
        {
            Screen.PrintJson(new
            {
                plan.Recipe.Name,
                Run = folder,
                Device = Where(plan),
                Dtype = DtypeName.Of(plan.Dtype),
                Parameters = Parameters(plan),
                plan.TrainedParameters,
                SourceParameters = plan.Conversion?.SourceParameters,
                training.Steps,
                StepsDone = stepsDone,
                Tokens = Tokens(plan),
                Stages = StagePlan.Of(training).Select(s => new { s.Stage.Name, s.Steps, s.Stage.Objective, s.Stage.Trained }),
                Memory = memory.Parts.ToDictionary(p => p.Name, p => p.Bytes),
                MemoryTotal = memory.Total,
                MemoryMoment = memory.Moment,
                memory.RecordedBlocks,
                CardTotal = plan.Card?.Total,
                Disk = disk.Parts.ToDictionary(p => p.Name, p => p.Bytes),
                DiskTotal = disk.Total,
            });
            return;
        }

        var table = new ScreenTable("", plan.Recipe.Name);
        table.Row("model", Model(plan));
        table.Row("text", string.Join("\n", plan.Recipe.Data.Train));
        table.Row("held out", plan.Validation is { } validation ? validation.Name : $"{plan.Recipe.Data.HeldOut:P1} of the documents");
        table.Row("training", $"{training.Steps:N0} steps of {training.TokensPerStep:N0} tokens, {Tokens(plan):N0} in all; {DtypeName.Of(plan.Dtype)} on {Where(plan)}");
        foreach (var stage in StagePlan.Of(training))
        {
            table.Row($"stage {stage.Stage.Name}", $"{stage.Steps:N0} steps on {stage.Stage.Objective.ToString().ToLowerInvariant()}, trains {string.Join(", ", stage.Stage.Trained)}");
        }

        table.Row("memory", $"{MemoryPart.Text(memory.Total)}{(plan.Card is { } card ? $" of the card's {MemoryPart.Text(card.Total)}" : string.Empty)}, {memory.Moment}\n{string.Join("\n", memory.Parts.Select(p => $"{MemoryPart.Text(p.Bytes)} {p.Name}"))}{Recorded(plan)}");
        table.Row("disk", disk.Total == 0 ? "nothing more" : $"{Quantity.Bytes(disk.Total)}\n{string.Join("\n", disk.Parts.Select(p => p.Text))}");
        table.Row("run", folder);
        Screen.Print(table);
    }

    private static string Recorded(RecipePlan plan) => plan.Recipe.Training.Recompute == RecomputePolicy.Selective
        ? $"\n{plan.Memory.RecordedBlocks} of {plan.Config.Layers} blocks keep their products"
        : string.Empty;

    private static string Model(RecipePlan plan)
    {
        var config = plan.Config;
        int recurrent = config.Mixers.Count(m => m is GatedSlotAttentionConfig);
        string from = plan.Source is { } source ? $"{source.Path} ({source.Format.Name})" : "random weights";
        string became = plan.Conversion is { } conversion ? $", {conversion.SourceParameters:N0} parameters before; initialization {conversion.Initialization.Name}" : string.Empty;
        return $"{from}\n{Parameters(plan):N0} parameters{became}\n{config.Layers} layers, {recurrent} of them gated slot attention\n{plan.TrainedParameters:N0} parameters are trained{(plan.Recipe.Training.Lora is { } lora ? $", adapters of rank {lora.Rank} among them" : string.Empty)}";
    }

    private static string Where(RecipePlan plan) => plan.Card is null ? "cpu" : "cuda";

    private static long Parameters(RecipePlan plan) => WeightLayout.Of(plan.Config).Sum(s => s.Count);

    private static long Tokens(RecipePlan plan) => plan.Recipe.Training.Steps * plan.Recipe.Training.TokensPerStep;
}
