using T2R.Bench;
using T2R.Tests.Checkpoints;
using T2R.Tests.Models;
using Xunit;

namespace T2R.Tests.Bench;

public class DecodeBenchTests
{
    [Fact]
    public void A_shape_without_kernels_is_the_users_mistake()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("48", Refusal(new TinyShape { HybridLayers = [], Hidden = 64, HeadDim = 32, Slots = 16, Intermediate = 48 }));
        Assert.Contains("heads of 16", Refusal(new TinyShape { HybridLayers = [], Hidden = 64, HeadDim = 16, Slots = 16, Intermediate = 64 }));

        string Refusal(TinyShape shape)
        {
            string path = folder[$"{shape.HeadDim}"];
            new TinyModel(shape).Save(path);
            return Assert.Throws<UserErrorException>(() => DecodeBench.Shape(Path.Combine(path, "config.json"))).Message;
        }
    }

    [Fact]
    public void A_presets_shape_has_kernels() => Assert.True(DecodeBench.Shape("mistral-7b").IsRecurrent);
}
