using T2R.Training;
using Xunit;

namespace T2R.Tests.Training;

/// <summary>Weights that step while the backward is still under way.</summary>
public class InBackwardTests
{
    public static TheoryData<bool, RecomputePolicy> Cases => new() { { false, RecomputePolicy.Full }, { true, RecomputePolicy.Full }, { false, RecomputePolicy.Selective }, { true, RecomputePolicy.None } };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Without_clipping_nothing_changes_but_when_weights_move(bool tied, RecomputePolicy policy)
    {
        var options = Tiny.Options(6) with { ClipNorm = 0, Recompute = policy, WarmupSteps = 2 };
        Assert.Empty(Tiny.Changed(Train(options, tied).Weights, Train(InBackward(options), tied).Weights));
    }

    [Fact]
    public void Clipping_uses_the_norm_of_the_step_before()
    {
        // Far below any norm here, so that every step is scaled; Adam forgets a scale that stays, so epsilon is large.
        var options = Tiny.Options(3) with { ClipNorm = 0.01, Optimizer = new AdamWOptions { LearningRate = 5e-3, Epsilon = 1 } };
        var (weights, norms) = Train(options, tied: false);
        Assert.NotEqual(norms[0], norms[1]);

        // The first step is clipped by its own norm, as without.
        var first = Train(InBackward(options) with { Steps = 1 }, tied: true);
        Assert.Empty(Tiny.Changed(Train(options with { Steps = 1 }, tied: true).Weights, first.Weights));
        Assert.NotEmpty(Tiny.Changed(Train(options with { Steps = 1, ClipNorm = 0 }, tied: true).Weights, first.Weights));

        // The second has a norm of its own and is clipped by the first's.
        var (inBackward, later) = Train(InBackward(options), tied: false);
        Assert.Equal(norms[..2], later[..2], (a, b) => Math.Abs(a - b) < 1e-12 * a);
        Assert.NotEmpty(Tiny.Changed(weights, inBackward));
    }

    [Fact]
    public void A_stopped_run_goes_on_with_the_norm_it_had()
    {
        var options = InBackward(Tiny.Options(6) with { ClipNorm = 0.01, Optimizer = new AdamWOptions { LearningRate = 5e-3, Epsilon = 1 } });
        Assert.Empty(Tiny.Changed(Train(options, tied: true).Weights, Train(options, tied: true, stopAt: 3).Weights));
    }

    [Fact]
    public void Accumulation_is_refused()
    {
        var problems = new Problems();
        (InBackward(Tiny.Options(1)) with { AccumulationSteps = 2 }).Check(Tiny.Config(false, Tiny.Slots), problems);
        var refused = Assert.Throws<UserErrorException>(problems.ThrowIfAny);
        Assert.Contains("accumulation_steps is 2", Assert.Single(refused.Problems), StringComparison.Ordinal);
    }

    private static TrainingOptions InBackward(TrainingOptions options) => options with { Optimizer = options.Optimizer with { InBackward = true } };

    private static (Dictionary<string, byte[]> Weights, double[] Norms) Train(TrainingOptions options, bool tied, int? stopAt = null)
    {
        using var folder = new T2R.Tests.Checkpoints.TemporaryFolder();
        var recorder = new Recorder();
        for (int session = 0; ; session++)
        {
            using var model = Tiny.Model(Tiny.Config(tied, Tiny.Softmax, Tiny.Slots, Tiny.Slots), 1);
            using var run = RunFolder.Open(folder.Path);
            using var stop = new CancellationTokenSource();
            var stopper = new Recorder(m => { if (session == 0 && m.Step == stopAt) { stop.Cancel(); } });
            using var trainer = new Trainer(options, new TrainingInputs(model, Tiny.Text(1)), run, [recorder, stopper]);
            if (session == 0 && stopAt is not null)
            {
                Assert.Throws<OperationCanceledException>(() => trainer.Run(stop.Token));
                continue;
            }

            trainer.Run(TestContext.Current.CancellationToken);
            return (Tiny.Bytes(model.Weights), [.. recorder.Steps.Select(s => s.GradientNorm)]);
        }
    }
}
