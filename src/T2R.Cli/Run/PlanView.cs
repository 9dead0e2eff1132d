using T2R.Models;
using T2R.Recipes;

namespace T2R.Cli.Run;

/// <summary>Shows what a recipe is going to do.</summary>
internal static class PlanView
{
    /// <summary>A line before the work begins.</summary>
    public static void Note(RecipePlan plan, string folder) =>
        Screen.Note($"{plan.Recipe.Name}: {plan.Shape.Parameters:N0} parameters, {ShapeView.Tokens(plan.Shape):N0} tokens in {plan.Recipe.Training.Steps:N0} steps, {DtypeName.Of(plan.Dtype)} on {ShapeView.Where(plan.Shape)}; the run lies in {folder}");

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
        if (outlook!.Redrawn is { } redrawn)
        {
            Screen.Warn(redrawn);
        }

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
            Screen.Print($"Nothing was done; without --dry-run {WhatFollows(outlook.StepsDone, plan.Recipe.Training.Steps, exports)}.");
        }
    }

    private static string WhatFollows(int done, int steps, bool exports) =>
        done == 0 ? "this would run"
        : done < steps ? $"this would resume after step {done:N0} of {steps:N0}"
        : exports ? $"this would measure and export again, as all {steps:N0} steps are done"
        : $"nothing would be left to do, as all {steps:N0} steps are done";

    private static void Show(RecipePlan plan, string folder, DiskPlan disk, int? stepsDone, bool asJson)
    {
        if (asJson)
        {
            ShapeView.PrintJson(plan.Shape, folder, stepsDone, plan.Conversion?.SourceParameters, disk);
            return;
        }

        var table = new ScreenTable("", plan.Recipe.Name);
        table.Row("model", $"{Source(plan)}\n{ShapeView.Model(plan.Shape)}");
        table.Row("text", string.Join("\n", plan.Recipe.Data.Train.SelectMany(s => Text(s, plan.Recipe.Data.Train.Sum(t => t.Weight)))));
        table.Row("held out", plan.Validation is { } validation ? validation.Name : $"{plan.Recipe.Data.HeldOut:P1} of the documents");
        ShapeView.AddTraining(table, plan.Shape);
        ShapeView.AddMemory(table, plan.Shape);
        table.Row("disk", disk.Total == 0 ? "nothing more" : $"{Quantity.Bytes(disk.Total)}\n{string.Join("\n", disk.Parts.Select(p => p.Text))}");
        table.Row("run", folder);
        Screen.Print(table);
    }

    private static IEnumerable<string> Text(DataSource source, double weights) =>
        source.Weight == weights ? source.Text.Paths : source.Text.Paths.Select(p => $"{source.Weight / weights:P1} {p}");

    private static string Source(RecipePlan plan)
    {
        string from = plan.Source is { } source ? $"{source.Path} ({source.Format.Name})" : "random weights";
        return plan.Conversion is { } conversion ? $"{from}, {conversion.SourceParameters:N0} parameters; initialization {conversion.Initialization.Name}" : from;
    }
}
