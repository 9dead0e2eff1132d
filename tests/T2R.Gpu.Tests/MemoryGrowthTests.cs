using System.Globalization;
using T2R.Data;
using T2R.Interop;
using T2R.Interop.Cuda;
using T2R.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

public class MemoryGrowthTests
{
    private const int Steps = 50, Settled = 3;

    // The card's memory is given out in pages of 2 MiB. The host's is what the runtime's heap does not hold; an activation of this model left
    // behind a step would make 12 MiB of either.
    private const long CardSlack = 2L << 20, HostSlack = 8L << 20;

    public static TheoryData<RecomputePolicy, bool, bool> Cases => new()
    {
        { RecomputePolicy.None, false, false },
        { RecomputePolicy.Selective, false, false },
        { RecomputePolicy.Full, true, true },
    };

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [MemberData(nameof(Cases))]
    public void Nothing_grows_after_the_third_step(RecomputePolicy policy, bool inBackward, bool offload)
    {
        var options = new TrainingOptions
        {
            Steps = Steps,
            WindowLength = 256,
            MicroBatchSize = 2,
            CheckpointEvery = 0,
            LogEvery = 1,
            Recompute = policy,
            OffloadInputs = offload,
            Optimizer = new AdamWOptions { LearningRate = 1e-4, InBackward = inBackward, Offload = offload },
        };

        // The first run compiles and loads what it needs as it goes; the second has nothing but a leak to grow by.
        Train(options);
        Gpu.ReleaseCache();
        var (first, last) = Train(options);
        TestContext.Current.SendDiagnosticMessage(string.Create(CultureInfo.InvariantCulture, $"{policy}: {first} → {last}"));
        Assert.True(last.Card <= first.Card + CardSlack, $"the card: {first.Card:N0} → {last.Card:N0} bytes");
        Assert.True(last.Host <= first.Host + HostSlack, $"the host: {first.Host:N0} → {last.Host:N0} bytes");
        Assert.Equal(first.Tensors, last.Tensors);
    }

    private static (Reading First, Reading Last) Train(TrainingOptions options)
    {
        string folder = Directory.CreateTempSubdirectory("t2r-").FullName;
        try
        {
            var text = new TokenStream([.. Enumerable.Range(0, 40000).Select(i => i % 100 == 0 ? 1 : 2 + (i * 7 % 900))], beginId: 1);
            var meter = new Meter();
            using var model = TrainedModel.On(CUDA, ScalarType.BFloat16);
            using (var run = RunFolder.Open(folder))
            using (var trainer = new Trainer(options, new TrainingInputs(model, text), run, [meter]))
            {
                trainer.Run(TestContext.Current.CancellationToken);
            }

            return (meter.Readings[Settled], meter.Readings[Steps]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private readonly record struct Reading(long Card, long Host, long Tensors);

    private sealed class Meter : ITrainingObserver
    {
        public Dictionary<int, Reading> Readings { get; } = [];

        public void Stepped(StepMetrics metrics)
        {
            if (metrics.Step is Settled or Steps)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                GC.Collect();
                long heap = GC.GetGCMemoryInfo(GCKind.Any).TotalCommittedBytes;
                Readings[metrics.Step] = new Reading(CudaMemory.Now(device: 0).Used, ProcessMemory.Now().Anonymous - heap, Tensor.TotalCount);
            }
        }

        public void Evaluated(EvaluationMetrics metrics)
        {
        }

        public void Warned(string sentence) => Assert.Fail(sentence);
    }
}
