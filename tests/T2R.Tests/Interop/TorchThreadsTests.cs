using T2R.Interop;
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
        using var threads = TorchThreadCount.Of(3);
        TorchThreads.ForEach(count, i => Interlocked.Increment(ref seen[i]));
        Assert.All(seen, n => Assert.Equal(1, n));
    }

    [Fact]
    public void An_exception_of_any_thread_reaches_the_caller()
    {
        int started = 0;
        using var threads = TorchThreadCount.Of(2);
        var thrown = Assert.Throws<InvalidOperationException>(() => TorchThreads.ForEach(100_000, _ =>
        {
            Interlocked.Increment(ref started);
            throw new InvalidOperationException("broken item");
        }));
        Assert.Equal("broken item", thrown.Message);
        Assert.InRange(started, 1, 2);
    }
}
