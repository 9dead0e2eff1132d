using System.Globalization;
using T2R.Bench;
using T2R.Cli.Run;
using T2R.Interop.Cuda;
using T2R.Models;
using T2R.Recipes;
using T2R.Training;
using T2R.Training.Memory;

namespace T2R.Cli.Bench;

/// <summary>Shows what a bench of training steps found.</summary>
internal static class StepView
{
    public static void Show(CudaDevice card, CardRates rates, RecipeShape shape, TrainingSetup setup, StepFindings found, bool asJson)
    {
        if (asJson)
        {
            Screen.PrintJson(Document(card.Name, rates, shape, setup, found));
            return;
        }

        var (result, worst) = (found.Result, found.Worst);
        double floor = FloorTokensPerSecond(rates, setup);
        Screen.Print(RatesView.Text(card, rates));
        var table = new ScreenTable("", shape.Recipe.Name);
        table.Row("model", ShapeView.Model(shape));
        table.Row("step", $"{result.TokensPerStep:N0} tokens: {Settings(setup.Options)}; {DtypeName.Of(setup.Dtype)}, stage {setup.Stage.Stage.Name}{Recorded(setup)}");
        table.Row("checked", $"loss and gradients of a step on a small model with the same mixers, against fp32 on the CPU\nleast cosine {Format($"{worst.Value.Cosine:F5}")} ({worst.Key}), at least {Format($"{TrainingBench.Bar(setup).LeastCosine}")} needed");
        table.Row("speed", Format($"{result.TokensPerSecond:F0} tokens/s, the median of {result.Steps.Count} steps without the first two"));
        table.Row("floor", Format($"{floor:F0} tokens/s, {floor / result.TokensPerSecond:F2} × as fast: {setup.OperationsPerToken / 1e9:F1} GFLOP a token in products with weights at the measured rate"));
        table.Row("memory", $"{MemoryPart.Text(setup.Memory.Total)} planned, {MemoryPart.Text(result.PeakBytes)} at most in use");
        table.Row("loss", Format($"{result.FirstLoss:F3} → {result.LastLoss:F3} on random ids, where nothing better than {Math.Log(setup.Config.VocabularySize):F3} can be learnt"));
        Screen.Print(table);
    }

    /// <summary>For a program.</summary>
    public static object Document(string card, CardRates rates, RecipeShape shape, TrainingSetup setup, StepFindings found)
    {
        var (result, worst) = (found.Result, found.Worst);
        double floor = FloorTokensPerSecond(rates, setup);
        return new
        {
            Card = card,
            Rates = rates,
            shape.Recipe.Name,
            shape.Parameters,
            setup.Config.Layers,
            Dtype = DtypeName.Of(setup.Dtype),
            Stage = setup.Stage.Stage.Name,
            setup.Options.Recompute,
            setup.Options.OffloadInputs,
            setup.Options.Fp8,
            setup.Options.Optimizer,
            setup.Memory.RecordedBlocks,
            setup.Options.WindowLength,
            setup.Options.MicroBatchSize,
            setup.Options.AccumulationSteps,
            result.TokensPerStep,
            Check = new { Of = "gradients of a small model against fp32", Worst = worst.Key, worst.Value.Cosine, worst.Value.Error },
            result.TokensPerSecond,
            FloorTokensPerSecond = floor,
            TimesFloor = floor / result.TokensPerSecond,
            setup.OperationsPerToken,
            PlannedBytes = setup.Memory.Total,
            result.PeakBytes,
            result.FirstLoss,
            result.LastLoss,
            result.Steps,
        };
    }

    private static double FloorTokensPerSecond(CardRates rates, TrainingSetup setup) => rates.OperationsPerSecond / setup.OperationsPerToken;

    private static string Settings(TrainingOptions options)
    {
        var optimizer = options.Optimizer;
        string[] flags = [optimizer.InBackward ? "in_backward" : "", optimizer.Offload ? "offload" : "", options.OffloadInputs ? "offload_inputs" : "", options.Fp8 ? "fp8" : ""];
        return string.Join(", ",
            (string[])[
                $"{options.AccumulationSteps * options.MicroBatchSize:N0} windows of {options.WindowLength:N0}{(options.AccumulationSteps > 1 ? $", {options.MicroBatchSize:N0} at once" : "")}",
                RecipeWord.Of(optimizer.Name), .. flags.Where(f => f.Length > 0), $"recompute {RecipeWord.Of(options.Recompute)}",
            ]);
    }

    private static string Recorded(TrainingSetup setup) =>
        setup.Options.Recompute == RecomputePolicy.Selective ? $", {setup.Memory.RecordedBlocks} of {setup.Config.Layers} blocks keep their products" : "";

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
