using T2R.Conversion;
using T2R.Mixers;
using T2R.Models;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Conversion;

public class RefusalTests
{
    [Fact]
    public void A_head_size_that_the_format_cannot_express_is_refused_by_name()
    {
        var wide = TinyTransformer.Config with { Mixers = [.. Enumerable.Repeat<MixerConfig>(new SoftmaxAttentionConfig(4, 2, 16, 10000, null), 3)] };
        string problem = Assert.Single(Refusal(new ConversionOptions(), wide).Problems);
        Assert.Contains("config.json", problem);
        Assert.Contains("head of 16", problem);
        Assert.Contains("hidden_size / num_heads, 8", problem);
    }

    [Fact]
    public void A_source_that_is_recurrent_already_is_refused()
    {
        using var temporary = new TemporaryFolder();
        ConverterTests.Convert(temporary);
        using var folder = ModelFolder.Open(temporary["target"]);
        var refusal = Assert.Throws<UserErrorException>(() => Converter.Plan(folder, new ConversionOptions()));
        Assert.Contains("recurrent already", refusal.Message);
    }

    [Fact]
    public void All_mistakes_in_the_options_are_reported_at_once()
    {
        var problems = Refusal(new ConversionOptions { Slots = 0, GateLogitNormalizer = -1, Initialization = "sprad", SoftmaxLayers = [0, 3, -1] }).Problems;
        Assert.Equal(5, problems.Count);
        Assert.Contains(problems, p => p.Contains("slots is 0", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.Contains("normalizer is -1", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.Contains("did you mean 'spread'?", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.Contains("layer 3", StringComparison.Ordinal) && p.Contains("0 to 2", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.Contains("layer -1", StringComparison.Ordinal));
    }

    [Fact]
    public void Keeping_softmax_everywhere_is_refused() =>
        Assert.Contains("nothing would be converted", Refusal(new ConversionOptions { SoftmaxLayers = [0, 1, 2] }).Message);

    [Fact]
    public void A_folder_that_exists_is_replaced_only_when_told_so()
    {
        using var temporary = new TemporaryFolder();
        ConverterTests.Convert(temporary);
        File.WriteAllText(Path.Combine(temporary["target"], "mine"), "");
        using var source = ModelFolder.Open(temporary["source"]);
        var plan = Converter.Plan(source, new ConversionOptions());
        Assert.Throws<UserErrorException>(() => Converter.Run(plan, temporary["target"], cancellation: TestContext.Current.CancellationToken));
        Assert.True(File.Exists(Path.Combine(temporary["target"], "mine")));

        Converter.Run(plan, temporary["target"], replace: true, cancellation: TestContext.Current.CancellationToken);
        Assert.False(File.Exists(Path.Combine(temporary["target"], "mine")));
        Assert.Equal(["source", "target"], temporary.Names);
    }

    [Fact]
    public void Replacing_never_deletes_the_source_nor_a_folder_that_is_no_models()
    {
        using var temporary = new TemporaryFolder();
        TinyTransformer.Write(temporary["source"]);
        Directory.CreateDirectory(temporary["photos"]);
        File.WriteAllText(temporary["photos/1.jpg"], "");
        Directory.CreateSymbolicLink(temporary["alias"], temporary["source"]);
        using var source = ModelFolder.Open(temporary["source"]);
        var plan = Converter.Plan(source, new ConversionOptions());
        foreach (string target in (string[])["source", "source/", "alias", ".", "photos"])
        {
            Assert.Throws<UserErrorException>(() => Converter.Run(plan, temporary[target], replace: true, cancellation: TestContext.Current.CancellationToken));
        }

        Assert.True(File.Exists(temporary["photos/1.jpg"]));
        Assert.True(File.Exists(temporary["source/model.safetensors"]));
        Assert.Equal(["alias", "photos", "source"], temporary.Names);
    }

    [Fact]
    public void A_ledger_that_does_not_balance_is_refused_with_every_tensor()
    {
        LedgerEntry entry = new("a", "b", LedgerAction.Renamed, [1], "");
        var refusal = Assert.Throws<UserErrorException>(() => new Ledger([entry, entry], ["a", "left over"], ["b", "never made"]));
        Assert.Equal(4, refusal.Problems.Count);
        Assert.Throws<UserErrorException>(() => new Ledger([entry], ["a"], []));
        Assert.Single(new Ledger([entry], ["a"], ["b"]).Entries);
    }

    private static UserErrorException Refusal(ConversionOptions options, ModelConfig? config = null)
    {
        using var temporary = new TemporaryFolder();
        using var source = ModelFolder.Open(TinyTransformer.Write(temporary["source"], config));
        return Assert.Throws<UserErrorException>(() => Converter.Plan(source, options));
    }
}
