using T2R.Models;
using T2R.Training;
using T2R.Training.Optimizers;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training.Optimizers;

public class OptimizerMemoryTests
{
    private static readonly WeightSpec[] Specs = [new("m", [1000, 3]), new("n", [7, 5]), new("v", [11])];

    [Theory]
    [InlineData(OptimizerName.AdamW, ScalarType.BFloat16)]
    [InlineData(OptimizerName.AdamW, ScalarType.Float32)]
    [InlineData(OptimizerName.AdamWBf16, ScalarType.BFloat16)]
    [InlineData(OptimizerName.AdamW8Bit, ScalarType.BFloat16)]
    public void What_is_counted_is_what_the_optimizer_holds(OptimizerName name, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var options = new AdamWOptions { Name = name };
        using var optimizer = new AdamW(options, [.. Specs.Select(s => new TrainedWeight(s.Name, zeros([.. s.Shape], s.IsNorm ? ScalarType.Float32 : dtype), 1, 0))]);
        Assert.Equal(optimizer.State.Sum(s => s.Tensor.numel() * s.Tensor.element_size()), OptimizerMemory.OnDevice(options, Specs, dtype, onCard: true));
        Assert.Equal(0, OptimizerMemory.Pinned(options, Specs, dtype, onCard: true));
    }

    [Fact]
    public void Offloaded_matrices_are_on_the_host_and_three_pieces_on_the_card()
    {
        var options = new AdamWOptions { Name = OptimizerName.AdamWBf16, Offload = true };
        Assert.Equal((3 * 4 * 3000) + (8 * 11), OptimizerMemory.OnDevice(options, Specs, ScalarType.BFloat16, onCard: true));
        Assert.Equal((2 * 6144) + (2 * 256), OptimizerMemory.Pinned(options, Specs, ScalarType.BFloat16, onCard: true));
        Assert.Equal((4 * 3035) + (8 * 11), OptimizerMemory.OnDevice(options, Specs, ScalarType.BFloat16, onCard: false));

        WeightSpec[] large = [new("m", [32000, 4096])];
        Assert.Equal(3 * 12 * (4 << 20), OptimizerMemory.OnDevice(options with { Name = OptimizerName.AdamW }, large, ScalarType.BFloat16, onCard: true));
        Assert.Equal(12L * 32000 * 4096, OptimizerMemory.Pinned(options with { Name = OptimizerName.AdamW }, large, ScalarType.BFloat16, onCard: true));
    }
}
