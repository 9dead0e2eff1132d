using T2R.Bench;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Bench;

public class AgreementTests
{
    private static readonly AgreementBar Bar = new(0.05, 0.999);

    [Fact]
    public void Error_and_cosine_are_those_of_the_whole_tensor()
    {
        using var scope = NewDisposeScope();
        var of = Agreement.Of(tensor([3.0, 0, 0, 4]).view(2, 2), tensor([3.0, 0, 4, 0]).view(2, 2));
        Assert.Equal(Math.Sqrt(32) / 5, of.Error, 12);
        Assert.Equal(9.0 / 25, of.Cosine, 12);
    }

    [Fact]
    public void What_is_near_enough_passes() => Bar.Require(Named(("a", 0.05, 0.999), ("b", 0, 1)));

    [Theory]
    [InlineData(0.051, 1)]
    [InlineData(0, 0.99)]
    [InlineData(double.NaN, double.NaN)]
    [InlineData(double.PositiveInfinity, 0)]
    public void What_is_not_is_refused_by_name(double error, double cosine) =>
        Assert.Contains("dq is", Assert.Throws<WrongResultException>(() => Bar.Require(Named(("o", 0.01, 0.9999), ("dq", error, cosine)))).Message);

    [Fact]
    public void The_farthest_is_named_and_the_others_are_counted() =>
        Assert.Matches("dv is 3.*2 more", Assert.Throws<WrongResultException>(() => Bar.Require(Named(("dq", 0.1, 1), ("dv", 0.3, 1), ("dk", 0.2, 1)))).Message);

    private static IEnumerable<KeyValuePair<string, Agreement>> Named(params (string Name, double Error, double Cosine)[] all) =>
        all.Select(a => KeyValuePair.Create(a.Name, new Agreement(a.Error, a.Cosine)));
}
