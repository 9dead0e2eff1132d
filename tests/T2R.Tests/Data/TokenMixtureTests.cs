using CsCheck;
using T2R.Data;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Data;

public class TokenMixtureTests
{
    private const int Begin = 1;
    private const int Length = 4;

    // Windows of the first source hold ids from 100 on, of the second from 10 100 on, of the third from 20 100 on.
    private static TokenStream Source(int number, int windows) => new([.. Enumerable.Range(0, windows * Length).Select(i => (number * 10_000) + 100 + i)], Begin);

    private static TokenMixture Mixture(params (int Windows, double Weight)[] sources) => new([.. sources.Select((s, i) => (Source(i, s.Windows), s.Weight))]);

    [Fact]
    public void An_epoch_draws_from_each_source_its_weights_share()
    {
        PackedWindows windows = new(Mixture((60, 1), (30, 2), (10, 1)), Length, seed: 5);
        Assert.Equal(100, windows.Count);
        var cursor = default(DataCursor);
        for (int epoch = 0; epoch < 3; epoch++)
        {
            int[] drawn = Take(windows, 100, ref cursor);
            Assert.Equal([25, 50, 25], Enumerable.Range(0, 3).Select(s => drawn.Count(w => w / 10_000 == s)));
            Assert.Equal(new DataCursor(epoch + 1, 0), cursor);
        }
    }

    [Fact]
    public void A_source_gives_all_its_windows_before_it_begins_again_in_another_order()
    {
        PackedWindows windows = new(Mixture((60, 1), (10, 1)), Length, seed: 5);
        var cursor = default(DataCursor);
        int[] drawn = Take(windows, 7 * 70, ref cursor);
        foreach ((int source, int count) in ((int, int)[])[(0, 60), (1, 10)])
        {
            int[][] passes = [.. drawn.Where(w => w / 10_000 == source).Chunk(count).Where(p => p.Length == count)];
            Assert.True(passes.Length > 1);
            Assert.All(passes, p => Assert.Equal(count, p.Distinct().Count()));
            Assert.Equal(passes.Length, passes.Select(p => string.Join(',', p)).Distinct().Count());
        }
    }

    [Fact]
    public void A_single_source_is_what_it_is_alone_whatever_its_weight()
    {
        TokenStream stream = Source(0, 50);
        var (alone, weighted) = (default(DataCursor), default(DataCursor));
        Assert.Equal(Take(new PackedWindows(stream, Length, 9), 120, ref alone), Take(new PackedWindows(new TokenMixture((stream, 7)), Length, 9), 120, ref weighted));
    }

    [Fact]
    public void The_order_is_the_one_that_was_specified()
    {
        // Computed by a second implementation; a change here would break every run that is resumed.
        var cursor = default(DataCursor);
        Assert.Equal([104, 10_100, 116, 112, 10_108, 100, 10_104, 10_100, 108, 116, 10_104, 10_108, 100, 10_100, 10_108, 108], Take(new PackedWindows(Mixture((5, 1), (3, 1)), Length, seed: 42), 16, ref cursor));
    }

    [Fact]
    public void Going_on_from_a_cursor_gives_the_batches_that_would_have_followed_on_every_rank() =>
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 40], Gen.Int[1, 9], Gen.Int[0, 60], Gen.Int[1, 3], Gen.Int[1, 5]).Sample(
            (first, second, weight, stop, world, batchSize) =>
            {
                TokenMixture text = Mixture((first + 10, weight), (second + 10, 3));
                var one = new PackedWindows(text, Length, 7);
                var (cursor, resumed) = (default(DataCursor), default(DataCursor));
                Take(one, stop * world * batchSize, ref cursor);
                PackedWindows[] ranks = [.. Enumerable.Range(0, world).Select(r => new PackedWindows(text, Length, 7, r, world))];
                DataCursor[] cursors = [.. ranks.Select(_ => cursor)];
                for (int i = 0; i < 5; i++)
                {
                    int[] together = [.. Enumerable.Range(0, world).SelectMany(r => Batch(ranks[r], batchSize, ref cursors[r]))];
                    Assert.Equal(Batch(one, world * batchSize, ref cursor), together);
                    Assert.All(cursors, c => Assert.Equal(cursor, c));
                }
            },
            iter: 60,
            threads: 1);

    [Fact]
    public void A_weight_that_gets_no_window_and_a_source_shorter_than_a_window_are_refused()
    {
        Assert.Contains("gets none of the 30 windows", Assert.Throws<UserErrorException>(() => new PackedWindows(Mixture((20, 1), (10, 0.001)), Length, 0)).Message);
        Assert.Contains("has 4 tokens, less than one window of 5", Assert.Throws<UserErrorException>(() => new PackedWindows(Mixture((20, 1), (1, 1)), Length + 1, 0)).Message);
        Assert.Throws<ArgumentException>(() => Mixture((20, 1), (20, 0)));
    }

    [Fact]
    public void Sequential_windows_are_those_of_one_source_after_the_other()
    {
        using var scope = NewDisposeScope();
        var windows = new PackedWindows(Mixture((3, 1), (2, 5)), Length, 1);
        Assert.Equal([100, 104, 108, 10_100, 10_104], windows.Sequential(batchSize: 2).SelectMany(First));
    }

    // The first id of each window.
    private static int[] Take(PackedWindows windows, int count, ref DataCursor cursor)
    {
        var first = new List<int>();
        for (int i = 0; i < count; i++)
        {
            first.AddRange(Batch(windows, 1, ref cursor));
        }

        return [.. first];
    }

    private static int[] Batch(PackedWindows windows, int batchSize, ref DataCursor cursor)
    {
        using var scope = NewDisposeScope();
        return First(windows.Next(batchSize, ref cursor));
    }

    private static int[] First(Batch batch) => [.. batch.Ids.data<long>().ToArray().Where((_, i) => i % Length == 0).Select(i => (int)i)];
}
