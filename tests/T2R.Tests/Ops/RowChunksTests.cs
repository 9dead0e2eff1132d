using T2R.Ops;
using Xunit;

namespace T2R.Tests.Ops;

public class RowChunksTests
{
    [Theory]
    [InlineData(8192, 14336, 1 << 24, 8, 1024)]
    [InlineData(10, 3, 9, 4, 3)]
    [InlineData(7, 5, 100, 1, 7)]
    [InlineData(3, 100, 10, 3, 1)]
    [InlineData(0, 5, 10, 0, 0)]
    public void Chunks_are_few_and_alike_and_hold_every_row(long rows, long width, long most, int chunks, long first)
    {
        var found = RowChunks.Of(rows, width, most).ToList();
        Assert.Equal(chunks, found.Count);
        Assert.All(found, c => Assert.InRange(c.Count, 1, first));
        Assert.Equal(rows, found.Sum(c => c.Count));
        Assert.All(found.Zip(found.Skip(1)), p => Assert.Equal(p.First.Start + p.First.Count, p.Second.Start));
    }
}
