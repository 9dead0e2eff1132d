using T2R.Models;
using T2R.Training;
using Xunit;

namespace T2R.Tests.Training;

public class ScheduleTests
{
    [Fact]
    public void The_rate_warms_up_then_falls_along_a_cosine_to_the_floor()
    {
        var schedule = new LearningRateSchedule(Tiny.Options(110) with { WarmupSteps = 10, FloorRatio = 0.1, Optimizer = new AdamWOptions { LearningRate = 2 } });
        Assert.Equal(0.2, schedule.At(0), 1e-12);
        Assert.Equal(2, schedule.At(9), 1e-12);
        Assert.Equal(2 * (0.1 + (0.9 * 0.5 * (1 + Math.Cos(Math.PI * 0.25)))), schedule.At(34), 1e-12);
        Assert.Equal(1.1, schedule.At(59), 1e-12);
        Assert.Equal(0.2, schedule.At(109), 1e-12);
    }

    [Fact]
    public void Each_stage_has_its_own_warm_up_cosine_and_factor()
    {
        var schedule = new LearningRateSchedule(Tiny.Options(30) with
        {
            WarmupSteps = 2,
            FloorRatio = 0,
            Optimizer = new AdamWOptions { LearningRate = 1 },
            Stages = [new TrainingStage("a") { Steps = 10, LearningRateFactor = 3 }, new TrainingStage("b")],
        });
        Assert.Equal([1.5, 3, 0], [schedule.At(0), schedule.At(1), schedule.At(9)], (a, b) => Math.Abs(a - b) < 1e-12);
        Assert.Equal([0.5, 1, 0.5, 0], [schedule.At(10), schedule.At(11), schedule.At(20), schedule.At(29)], (a, b) => Math.Abs(a - b) < 1e-12);
    }

    [Fact]
    public void A_stage_shorter_than_the_warm_up_ends_at_its_peak() =>
        Assert.Equal(1, new LearningRateSchedule(Tiny.Options(5) with { WarmupSteps = 100, Optimizer = new AdamWOptions { LearningRate = 1 } }).At(4), 1e-12);

    [Theory]
    [InlineData("blocks.*.mixer.f_proj.weight", "blocks.12.mixer.f_proj.weight", true)]
    [InlineData("*", "norm.weight", true)]
    [InlineData("*.weight", "norm.weight", true)]
    [InlineData("blocks.1.*", "blocks.12.mlp_norm.weight", false)]
    [InlineData("norm.weight", "blocks.0.mlp_norm.weight", false)]
    [InlineData("*norm*", "blocks.0.mlp_norm.weight", true)]
    [InlineData("blocks.*.proj*.weight", "blocks.0.weight", false)]
    [InlineData("ab*ba", "aba", false)]
    [InlineData("a*b*b*c", "abc", false)]
    [InlineData("a*b*b*c", "abxbc", true)]
    public void Patterns_match_whole_names(string pattern, string name, bool matches) => Assert.Equal(matches, NamePattern.Matches(pattern, name));
}
