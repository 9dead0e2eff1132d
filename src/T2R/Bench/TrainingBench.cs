using System.Diagnostics;
using T2R.Data;
using T2R.Interop;
using T2R.Interop.Cuda;
using T2R.Models;
using T2R.Ops.Fp8;
using T2R.Training;
using static TorchSharp.torch;

namespace T2R.Bench;

/// <summary>Times whole training steps from random weights on random ids: forward, backward, clipping and the optimizer, at the options' peak learning rate.</summary>
public static class TrainingBench
{
    /// <summary>How near <see cref="Check"/> wants them.</summary>
    /// <param name="setup">The training.</param>
    public static AgreementBar Bar(TrainingSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return GradientCheck.BarOf(setup.Options);
    }

    /// <summary>Loss and gradients of a step of a small model with the same mixers, as far as they are trained, against fp32 on the CPU.</summary>
    /// <param name="setup">The training.</param>
    /// <exception cref="WrongResultException">One is too far off.</exception>
    public static IReadOnlyDictionary<string, Agreement> Check(TrainingSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        var agreements = GradientCheck.Run(GradientCheck.Small(setup.Config), setup.Options, setup.Device, setup.Dtype);
        Bar(setup).Require(agreements);
        return agreements;
    }

    /// <summary>Runs some steps.</summary>
    /// <param name="setup">The training.</param>
    /// <param name="steps">How many, at least 1; the first two are left out of the median.</param>
    /// <param name="stepped">Hears of each.</param>
    /// <exception cref="WrongResultException">A loss is not finite.</exception>
    public static TrainingBenchResult Run(TrainingSetup setup, int steps, Action<TrainingBenchStep>? stepped = null)
    {
        ArgumentNullException.ThrowIfNull(setup);
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        using var model = Draw(setup.Adapted, setup);
        using var teacher = setup.Teacher is null ? null : Draw(setup.Teacher, setup);
        using var gradients = new Gradients();
        var inputs = new TrainingInputs(model, new TokenStream([1, 2, 3], beginId: 1), Teacher: teacher);
        using var scales = setup.Options.Fp8 ? new Fp8Scales(setup.Config.Layers, setup.Device) : null;
        using var stage = new StageRun(setup.Stage, setup.Options, inputs, gradients, setup.Memory.RecordedBlocks, scales);
        var done = new List<TrainingBenchStep>();
        double? norm = null;
        while (done.Count < steps)
        {
            var watch = Stopwatch.StartNew();
            var step = stage.Step.Run(setup.Options.Optimizer.LearningRate, norm, () => Batches(setup), Judge);
            norm = step.Norm;
            int? card = setup.Device.type == TorchSharp.DeviceType.CUDA ? CudaDevice.IndexOf(setup.Device) : null;
            if (card is not null)
            {
                CudaStream.Torch(card.Value).Synchronize();
            }

            double seconds = watch.Elapsed.TotalSeconds;
            GC.Collect();
            done.Add(new TrainingBenchStep(seconds, step.Loss, card is null ? 0 : CudaMemory.Now(card.Value).Used, ProcessMemory.Now().Resident));
            stepped?.Invoke(done[^1]);
        }

        return new TrainingBenchResult(done, setup.Options.TokensPerStep, stage.Flow.PeakBytes);

        void Judge(StepResult step)
        {
            if (!double.IsFinite(step.Loss))
            {
                throw new WrongResultException($"the loss of step {done.Count + 1} is {step.Loss}: such steps are not worth timing");
            }
        }
    }

    // A norm that is measured before the first step need not be of the same ids.
    private static IEnumerable<Batch> Batches(TrainingSetup setup)
    {
        for (int i = 0; i < setup.Options.AccumulationSteps; i++)
        {
            var ids_BT = randint(2, setup.Config.VocabularySize, [setup.Options.MicroBatchSize, setup.Options.WindowLength], ScalarType.Int64, setup.Device);
            yield return new Batch(ids_BT, ids_BT.eq(1));
        }
    }

    // Drawn on the device: billions of numbers that need not be the same elsewhere.
    private static CausalLM Draw(ModelConfig config, TrainingSetup setup) => new(config, new WeightSet(config, spec => spec.IsNorm
        ? ones([.. spec.Shape], ScalarType.Float32, setup.Device)
        : empty([.. spec.Shape], setup.Dtype, setup.Device).normal_(0, 0.02)));
}
