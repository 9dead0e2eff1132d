using T2R.Checkpoints;
using Xunit;

namespace T2R.Tests.Checkpoints;

public class ConfigJsonTests
{
    private static ConfigJson Open(TemporaryFolder folder, string json, Problems problems)
    {
        File.WriteAllText(folder["config.json"], json);
        return ConfigJson.Open(folder["config.json"], problems);
    }

    private static IReadOnlyList<string> All(Problems problems) => problems.Any ? Assert.Throws<UserErrorException>(problems.ThrowIfAny).Problems : [];

    [Fact]
    public void Values_of_every_kind_are_read()
    {
        using var folder = new TemporaryFolder();
        var problems = new Problems();
        var config = Open(folder, """{"n":3,"id":0,"x":1e-5,"f":true,"s":"silu","i":[0,2],"t":["A"],"o":{"theta":10000.0},"null":null}""", problems);
        Assert.Equal(3, config.Count("n"));
        Assert.Equal(0, config.Id("id", 7));
        Assert.Equal(1e-5, config.Number("x"));
        Assert.True(config.Flag("f", false));
        Assert.Equal("silu", config.Text("s"));
        Assert.Equal([0, 2], config.Indices("i"));
        Assert.Equal(["A"], config.Texts("t"));
        Assert.Equal(10000, config.Nested("o")!.Number("theta"));
        Assert.False(config.Has("null"));
        Assert.True(config.Mentions("null"));
        Assert.Equal(5, config.Count("null", 5));
        Assert.Null(config.Nested("absent"));
        Assert.Empty(config.UnreadKeys);
        Assert.Empty(All(problems));
    }

    [Fact]
    public void Every_wrong_and_missing_key_is_reported_with_the_file()
    {
        using var folder = new TemporaryFolder();
        var problems = new Problems();
        var config = Open(folder, """{"n":"3","zero":0,"x":[1],"f":1,"s":1,"i":[-1],"t":"A","o":[],"deep":{"k":1.5},"act":"gelu"}""", problems);
        config.Count("n");
        config.Count("zero");
        config.Number("x");
        config.Flag("f", true);
        config.Text("s");
        config.Indices("i");
        config.Texts("t");
        config.Nested("o");
        config.Nested("deep")!.Count("k");
        config.Only("act", "\"silu\"");
        config.Count("absent");
        config.Text("absent2");
        IReadOnlyList<string> all = All(problems);
        Assert.Equal(["n", "zero", "x", "f", "s", "i", "t", "o", "deep.k", "act", "absent", "absent2"], all.Select(p => p.Split(' ')[1]));
        Assert.All(all, p => Assert.StartsWith(folder["config.json"] + ": ", p, StringComparison.Ordinal));
    }

    [Fact]
    public void Keys_that_nobody_asked_for_are_known()
    {
        using var folder = new TemporaryFolder();
        var config = Open(folder, """{"read":1,"passed":2,"unread":3,"o":{"read":1,"unread":2}}""", new Problems());
        config.Count("read");
        config.Pass("passed");
        config.Nested("o")!.Count("read");
        Assert.Equal(["unread", "o.unread"], config.UnreadKeys);
    }

    [Theory]
    [InlineData("", "not valid JSON")]
    [InlineData("{\"a\":1,}", "not valid JSON")]
    [InlineData("{\"a\":1,\"a\":2}", "not valid JSON")]
    [InlineData("{\"a\":\"\\ud800\"}", "not valid JSON")]
    [InlineData("[1]", "expected an object")]
    public void A_file_that_is_no_JSON_object_is_refused(string json, string expected)
    {
        using var folder = new TemporaryFolder();
        string message = Assert.Throws<UserErrorException>(() => Open(folder, json, new Problems())).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.Contains(folder["config.json"], message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_named()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains(folder["config.json"], Assert.Throws<UserErrorException>(() => ConfigJson.Open(folder["config.json"], new Problems())).Message, StringComparison.Ordinal);
    }
}
