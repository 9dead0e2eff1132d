using T2R.Interop;
using Xunit;

namespace T2R.Tests.Interop;

public class TorchLoopTests
{
    [Fact]
    public void A_loop_runs_again_and_again()
    {
        using var threads = TorchThreadCount.Of(3);
        using var loop = new TorchLoop();
        foreach (int count in new[] { 5, 0, 1, 300 })
        {
            int[] seen = new int[count];
            loop.Run(count, i => Interlocked.Increment(ref seen[i]));
            Assert.All(seen, n => Assert.Equal(1, n));
        }
    }

    [Fact]
    public void A_loop_whose_body_threw_can_run_again()
    {
        using var threads = TorchThreadCount.Of(2);
        using var loop = new TorchLoop();
        Assert.Throws<InvalidOperationException>(() => loop.Run(50, _ => throw new InvalidOperationException("broken item")));
        int done = 0;
        loop.Run(50, _ => Interlocked.Increment(ref done));
        Assert.Equal(50, done);
    }

    [Fact]
    public void Nothing_is_allocated_on_the_callers_thread()
    {
        using var threads = TorchThreadCount.Of(2);
        using var loop = new TorchLoop();
        int done = 0;
        Action<int> body = _ => Interlocked.Increment(ref done);
        loop.Run(10, body);
        long before = GC.GetAllocatedBytesForCurrentThread();
        loop.Run(10, body);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
