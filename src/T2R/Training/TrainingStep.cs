using T2R.Data;
using T2R.Ops.Fp8;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>The order of a stage's step: every micro-batch forward and backward, the norm of their gradients, and the optimizer with gradients clipped by it.</summary>
/// <param name="options">Of the run.</param>
/// <param name="loss">Of the stage, with its gradients.</param>
/// <param name="flow">Where those go.</param>
/// <param name="optimizer">Of the stage.</param>
/// <param name="gradients">Where they are collected.</param>
/// <param name="scales">With which blocks multiply in FP8, where they do: those of the next step follow from this one's.</param>
internal sealed class TrainingStep(TrainingOptions options, IStageLoss loss, GradientFlow flow, IOptimizer optimizer, Gradients gradients, Fp8Scales? scales)
{
    /// <summary>Runs one.</summary>
    /// <param name="learningRate">Before the weights' multipliers.</param>
    /// <param name="normBefore">
    /// The norm of the step before; null where the stage begins. Weights that step in the backward are clipped by it, since this step's is known when they have moved.
    /// Where there is none the backward runs twice, once for the norm alone: left unclipped, one large first gradient would outweigh all others in the moments for many steps.
    /// </param>
    /// <param name="batches">Yields the step's micro-batches, as often as it is called; they are disposed here.</param>
    /// <param name="judge">Hears of the result before weights move, unless they step in the backward. If it throws, they do not.</param>
    public StepResult Run(double learningRate, double? normBefore, Func<IEnumerable<Batch>> batches, Action<StepResult> judge)
    {
        if (flow.StepsInBackward)
        {
            optimizer.BeginStep(learningRate, Clip(normBefore ?? (options.ClipNorm > 0 ? MeasureNorm(batches()) : 0)));
        }

        var (mean, parts) = Accumulate(batches());
        var result = new StepResult(mean, parts, flow.Norm());
        judge(result);
        if (!flow.StepsInBackward)
        {
            optimizer.BeginStep(learningRate, Clip(result.Norm));
            optimizer.Update(gradients);
            gradients.Clear();
        }

        optimizer.EndStep();
        scales?.EndStep();
        flow.Sample();
        return result;
    }

    private double MeasureNorm(IEnumerable<Batch> batches)
    {
        flow.OnlyMeasures = true;
        Accumulate(batches);
        flow.OnlyMeasures = false;
        return flow.Norm();
    }

    private (double Loss, IReadOnlyDictionary<string, double> Parts) Accumulate(IEnumerable<Batch> batches)
    {
        using var scope = NewDisposeScope();
        gradients.Clear();
        var losses = new List<StepLoss>();
        foreach (var batch in batches)
        {
            using (batch)
            {
                losses.Add(loss.Backward(batch, 1.0 / options.AccumulationSteps));
            }
        }

        var mean = StepLoss.Mean(losses);
        losses.ForEach(l => l.Dispose());
        return mean;
    }

    private double Clip(double norm) => options.ClipNorm > 0 && norm > options.ClipNorm ? options.ClipNorm / norm : 1;
}
