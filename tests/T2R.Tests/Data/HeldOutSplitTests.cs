using T2R.Data;
using Xunit;

namespace T2R.Tests.Data;

public class HeldOutSplitTests
{
    private static readonly string[] Texts = [.. Enumerable.Range(0, 5000).Select(i => $"document {i}")];

    [Fact]
    public void The_parts_are_disjoint_and_complete()
    {
        var split = HeldOutSplit.Of(new ListCorpus(Texts), 0.1);
        string[] train = Read(split.Train), validation = Read(split.Validation);
        Assert.Empty(train.Intersect(validation));
        Assert.Equal(Texts.Order(), train.Concat(validation).Order());
        Assert.InRange(validation.Length, 400, 600);
    }

    [Fact]
    public void Order_and_other_documents_do_not_matter()
    {
        string[] held = Read(HeldOutSplit.Of(new ListCorpus(Texts), 0.1).Validation);
        Assert.Equal(held.Reverse(), Read(HeldOutSplit.Of(new ListCorpus([.. Texts.Reverse()]), 0.1).Validation));
        Assert.Equal(held.Where(t => t.EndsWith('7')), Read(HeldOutSplit.Of(new ListCorpus([.. Texts.Where(t => t.EndsWith('7'))]), 0.1).Validation));
    }

    [Fact]
    public void A_larger_share_holds_out_the_same_and_more()
    {
        string[] less = Read(HeldOutSplit.Of(new ListCorpus(Texts), 0.05).Validation), more = Read(HeldOutSplit.Of(new ListCorpus(Texts), 0.2).Validation);
        Assert.Empty(less.Except(more));
        Assert.True(more.Length > less.Length);
    }

    [Fact]
    public void Fingerprints_of_the_parts_differ()
    {
        HeldOutSplit a = HeldOutSplit.Of(new ListCorpus(Texts), 0.1), b = HeldOutSplit.Of(new ListCorpus(Texts), 0.2);
        Assert.Equal(4, new[] { a.Train, a.Validation, b.Train, b.Validation }.Select(p => p.Fingerprint(cancellation: TestContext.Current.CancellationToken)).Distinct().Count());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(-0.1)]
    [InlineData(double.NaN)]
    public void A_share_that_is_none_is_refused(double fraction) =>
        Assert.Contains("held-out fraction", Assert.Throws<UserErrorException>(() => HeldOutSplit.Of(new ListCorpus(Texts), fraction)).Message);

    private static string[] Read(ICorpus corpus) => [.. corpus.Documents().Select(d => d.Text)];
}
