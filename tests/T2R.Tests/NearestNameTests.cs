using Xunit;

namespace T2R.Tests;

public class NearestNameTests
{
    private static readonly string[] Known = ["learning_rate", "warmup_steps", "steps", "seed"];

    [Theory]
    [InlineData("learning_rte", "learning_rate")]
    [InlineData("step", "steps")]
    [InlineData("sede", "seed")]
    [InlineData("warm_up_steps", "warmup_steps")]
    public void A_slip_finds_the_name_that_was_meant(string given, string meant) => Assert.Equal(meant, NearestName.Of(given, Known));

    [Theory]
    [InlineData("batch_size")]
    [InlineData("x")]
    [InlineData("")]
    public void A_name_like_none_finds_none(string given) => Assert.Null(NearestName.Of(given, Known));

    [Fact]
    public void Among_no_names_there_is_none() => Assert.Null(NearestName.Of("steps", []));
}
