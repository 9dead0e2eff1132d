using T2R.Generation;
using Xunit;

namespace T2R.Gpu.Tests;

public class TextGeneratorTests
{
    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public async Task A_folder_streams_from_the_card_by_its_name()
    {
        using var world = new SmallWorld();
        using var generator = TextGenerator.Open(world["teacher"], device: "cuda:0", dtype: "bf16", slots: 2);
        var sampling = new SamplingOptions { Temperature = 0 };
        string[] texts = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Text(generator.StreamAsync("a", 40, sampling, TestContext.Current.CancellationToken))));
        Assert.NotEmpty(texts[0]);
        Assert.Equal(texts[0], texts[1]);
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void A_card_that_is_not_there_is_named()
    {
        using var world = new SmallWorld();
        Assert.Contains("'cuda:99' is not one of", Assert.Throws<UserErrorException>(() => TextGenerator.Open(world["teacher"], device: "cuda:99")).Message);
    }

    private static async Task<string> Text(IAsyncEnumerable<string> stream) => string.Concat(await stream.ToListAsync(TestContext.Current.CancellationToken));
}
