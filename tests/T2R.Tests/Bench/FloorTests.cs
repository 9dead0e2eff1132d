using T2R.Bench;
using T2R.Conversion;
using T2R.Mixers;
using T2R.Models;
using T2R.Training;
using Xunit;

namespace T2R.Tests.Bench;

public class FloorTests
{
    private static readonly ModelConfig Mistral = RandomModel.Presets["mistral-7b"] with
    {
        Mixers = [.. Enumerable.Repeat<MixerConfig>(new GatedSlotAttentionConfig(32, 8, 128, 64), 32)],
    };

    [Fact]
    public void The_floor_is_what_is_slower_of_bytes_and_operations()
    {
        var rates = new CardRates(2e12, 5e14);
        Assert.Equal(3, rates.Floor(6e12, 1e14), 12);
        Assert.Equal(4, rates.Floor(6e12, 2e15), 12);
    }

    // 2 operations a weight and product; 7 046 M weights in blocks, 131 M in the head.
    [Theory]
    [InlineData(RecomputePolicy.None, 0, 43.1)]
    [InlineData(RecomputePolicy.Full, 0, 57.2)]
    [InlineData(RecomputePolicy.Selective, 32, 43.1)]
    [InlineData(RecomputePolicy.Selective, 0, 57.2)]
    [InlineData(RecomputePolicy.Selective, 16, 50.1)]
    public void A_token_of_Mistral_7B_costs_so_many_operations(RecomputePolicy policy, int recorded, double billions) =>
        Assert.Equal(billions, Work(Mistral, new TrainingOptions { Steps = 1, Recompute = policy }, recorded) / 1e9, 0.06);

    [Fact]
    public void Frozen_weights_have_no_gradient_of_their_own()
    {
        var options = new TrainingOptions { Steps = 1, Groups = [new ParameterGroup("*") { Frozen = true }, new ParameterGroup("head.weight")] };
        Assert.Equal((4 * 7.046) + (6 * 0.1311), Work(Mistral, options, 0) / 1e9, 0.01);
    }

    [Fact]
    public void A_teacher_adds_its_forward()
    {
        var options = new TrainingOptions { Steps = 1 };
        double with = TrainingWork.OperationsPerToken(Mistral, Mistral, options, new TrainingStage("all"), 0);
        Assert.Equal(2 * 7.177, (with - Work(Mistral, options, 0)) / 1e9, 0.01);
    }

    [Fact]
    public void A_blocks_floor_is_that_of_its_weights_and_its_operator()
    {
        var shape = new BlockShape(1, 8192, 4096, 14336, 32, 8, 128, 64);
        var alone = new OperatorShape(1, 8192, 32, 8, 128, 64);
        double weights = 7.046e9 / 32;
        Assert.Equal(2 * 8192 * weights, shape.ForwardOperations - alone.ForwardOperations, 1e-3 * 2 * 8192 * weights);
        Assert.Equal(4 * 8192 * weights, shape.BackwardOperations - alone.BackwardOperations, 1e-3 * 4 * 8192 * weights);
        Assert.Equal((2 * weights) + (2 * 8192 * 4096 * 2.0), shape.ForwardBytes, 1e-3 * shape.ForwardBytes);
    }

    private static double Work(ModelConfig config, TrainingOptions options, int recorded) =>
        TrainingWork.OperationsPerToken(config, teacher: null, options, new TrainingStage("all"), recorded);
}
