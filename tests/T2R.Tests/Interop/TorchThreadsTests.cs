using T2R.Interop;
using TorchSharp;
using Xunit;

namespace T2R.Tests.Interop;

public class TorchThreadsTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1000)]
    public void Every_item_runs_once(int count)
    {
        int[] seen = new int[count];
        WithThreads(3, () => TorchThreads.ForEach(count, i => Interlocked.Increment(ref seen[i])));
        Assert.All(seen, n => Assert.Equal(1, n));
    }

    [Fact]
    public void An_exception_of_any_thread_reaches_the_caller()
    {
        int started = 0;
        var thrown = Assert.Throws<InvalidOperationException>(() => WithThreads(2, () => TorchThreads.ForEach(100_000, _ =>
        {
            Interlocked.Increment(ref started);
            throw new InvalidOperationException("broken item");
        })));
        Assert.Equal("broken item", thrown.Message);
        Assert.InRange(started, 1, 2);
    }

    private static void WithThreads(int threads, Action action)
    {
        int before = torch.get_num_threads();
        torch.set_num_threads(threads);
        try
        {
            action();
        }
        finally
        {
            torch.set_num_threads(before);
        }
    }
}
