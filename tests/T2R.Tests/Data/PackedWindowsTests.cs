using System.Text.Json;
using CsCheck;
using T2R.Data;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Data;

public class PackedWindowsTests
{
    private const int Begin = 1;

    [Fact]
    public void Each_epoch_gives_every_id_once_apart_from_the_remainder()
    {
        TokenStream stream = Distinct(1003);
        var windows = new PackedWindows(stream, 10, seed: 3);
        Assert.Equal(100, windows.Count);
        var cursor = default(DataCursor);
        for (int epoch = 0; epoch < 3; epoch++)
        {
            long[] ids = [.. Enumerable.Range(0, 20).SelectMany(_ => Take(windows, 5, ref cursor))];
            Assert.Equal(Enumerable.Range(2, 1000).Select(i => (long)i), ids.Order());
            Assert.Equal(new DataCursor(epoch + 1, 0), cursor);
        }
    }

    [Fact]
    public void The_order_changes_with_the_epoch_and_the_seed_and_with_nothing_else()
    {
        TokenStream stream = Distinct(1000);
        long[] Epoch(ulong seed, int epoch)
        {
            var cursor = new DataCursor(epoch, 0);
            return Take(new PackedWindows(stream, 10, seed), 100, ref cursor);
        }

        long[][] orders = [Epoch(1, 0), Epoch(1, 1), Epoch(2, 0), Epoch(2, 1), [.. Enumerable.Range(2, 1000).Select(i => (long)i)]];
        Assert.Equal(orders.Length, orders.Select(o => string.Join(',', o)).Distinct().Count());
        Assert.Equal(orders[1], Epoch(1, 1));
    }

    [Fact]
    public void The_order_is_the_one_that_was_specified()
    {
        // SplitMix64 from 1234567, as its authors publish it; a change here would break every run that is resumed.
        var random = new SplitMix64(1234567);
        Assert.Equal([6457827717110365317UL, 3203168211198807973UL, 9817491932198370423UL], [random.Next(), random.Next(), random.Next()]);
        var cursor = default(DataCursor);
        Assert.Equal([6L, 2, 7, 3, 5, 0, 1, 4], Take(new PackedWindows(Distinct(16), 2, seed: 42), 8, ref cursor).Where((_, i) => i % 2 == 0).Select(id => (id - 2) / 2));
    }

    [Fact]
    public void Every_window_is_equally_likely_at_every_place()
    {
        TokenStream stream = Distinct(16);
        int[,] counts = new int[8, 8];
        for (ulong seed = 0; seed < 4000; seed++)
        {
            using var scope = NewDisposeScope();
            var cursor = default(DataCursor);
            long[] ids = Take(new PackedWindows(stream, 2, seed), 8, ref cursor);
            for (int place = 0; place < 8; place++)
            {
                counts[place, (ids[place * 2] - 2) / 2]++;
            }
        }

        // 500 expected, standard deviation 21.
        Assert.All(counts.Cast<int>(), c => Assert.InRange(c, 400, 600));
    }

    [Fact]
    public void Going_on_from_a_cursor_gives_the_batches_that_would_have_followed() =>
        Gen.Select(Gen.Int[2, 9], Gen.Int[1, 7], Gen.Int[20, 200], Gen.Int[0, 30], Gen.Int[1, 3]).Sample(
            (length, batchSize, count, stop, world) =>
            {
                using var scope = NewDisposeScope();
                TokenStream stream = Distinct(count);
                var windows = new PackedWindows(stream, length, 7, world - 1, world);
                var cursor = default(DataCursor);
                for (int i = 0; i < stop; i++)
                {
                    Take(windows, batchSize, ref cursor);
                }

                DataCursor resumed = JsonSerializer.Deserialize<DataCursor>(JsonSerializer.Serialize(cursor));
                var again = new PackedWindows(stream, length, 7, world - 1, world);
                for (int i = 0; i < 20; i++)
                {
                    Assert.Equal(Take(windows, batchSize, ref cursor), Take(again, batchSize, ref resumed));
                    Assert.Equal(cursor, resumed);
                }
            },
            iter: 50,
            threads: 1);

    [Theory]
    [InlineData(2, 4)]
    [InlineData(4, 2)]
    [InlineData(8, 1)]
    public void Ranks_together_take_what_one_process_would_in_the_same_order(int worldSize, int batchSize)
    {
        TokenStream stream = Distinct(500);
        var one = new PackedWindows(stream, 10, 5);
        PackedWindows[] ranks = [.. Enumerable.Range(0, worldSize).Select(r => new PackedWindows(stream, 10, 5, r, worldSize))];
        var cursor = default(DataCursor);
        DataCursor[] cursors = new DataCursor[worldSize];
        for (int step = 0; step < 30; step++)
        {
            long[] together = [.. Enumerable.Range(0, worldSize).SelectMany(r => Take(ranks[r], batchSize, ref cursors[r]))];
            Assert.Equal(Take(one, 8, ref cursor), together);
            Assert.All(cursors, c => Assert.Equal(cursor, c));
        }
    }

    [Fact]
    public void Document_starts_are_where_the_beginning_id_is()
    {
        using var scope = NewDisposeScope();
        TokenStream stream = TokenStream.Build(new ListCorpus("abcd", "e", "fghijk"), new CharTokenizer(), Begin, new TokenizingOptions { Cancellation = TestContext.Current.CancellationToken });
        Batch batch = Assert.Single(new PackedWindows(stream, 7, 0).Sequential(batchSize: 8));
        Assert.Equal([2, 7], batch.Ids.shape);
        Assert.Equal(ScalarType.Int64, batch.Ids.dtype);
        Assert.Equal(ScalarType.Bool, batch.DocumentStarts.dtype);
        Assert.Equal([true, false, false, false, false, true, false, true, false, false, false, false, false, false], batch.DocumentStarts.data<bool>().ToArray());
    }

    [Fact]
    public void Sequential_windows_are_the_first_in_their_own_order()
    {
        using var scope = NewDisposeScope();
        var windows = new PackedWindows(Distinct(103), 10, 9);
        Batch[] batches = [.. windows.Sequential(firstWindows: 7, batchSize: 3)];
        Assert.Equal([3L, 3L, 1L], batches.Select(b => b.Ids.shape[0]));
        Assert.Equal(Enumerable.Range(2, 70).Select(i => (long)i), batches.SelectMany(b => b.Ids.data<long>().ToArray()));
        Assert.Equal(10, windows.Sequential().Count());
    }

    [Fact]
    public void Batches_leave_no_tensor_behind_once_disposed()
    {
        var windows = new PackedWindows(Distinct(1000), 10, 1);
        var cursor = default(DataCursor);
        using var scope = NewDisposeScope();
        windows.Next(4, ref cursor).Dispose();
        int before = scope.DisposablesCount;
        for (int i = 0; i < 50; i++)
        {
            windows.Next(4, ref cursor).Dispose();
        }

        Assert.Equal(before, scope.DisposablesCount);
    }

    [Fact]
    public void Less_than_one_window_is_refused() =>
        Assert.Contains("has 9 tokens, less than one window of 10", Assert.Throws<UserErrorException>(() => new PackedWindows(Distinct(9), 10, 0)).Message);

    [Fact]
    public void A_cursor_of_other_data_is_refused()
    {
        var windows = new PackedWindows(Distinct(100), 10, 0);
        var cursor = new DataCursor(2, 10);
        Assert.Contains("it has changed since the run began", Assert.Throws<UserErrorException>(() => windows.Next(1, ref cursor)).Message);
        Assert.Equal(new DataCursor(2, 10), cursor);
    }

    // Ids 2, 3, 4, …: no two equal, none the beginning id.
    private static TokenStream Distinct(int count) => new([.. Enumerable.Range(2, count).Select(i => (ushort)i)], Begin);

    private static long[] Take(PackedWindows windows, int batchSize, ref DataCursor cursor)
    {
        using var scope = NewDisposeScope();
        return windows.Next(batchSize, ref cursor).Ids.data<long>().ToArray();
    }
}
