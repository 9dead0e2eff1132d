using T2R.Checkpoints;
using Xunit;

namespace T2R.Tests.Checkpoints;

public class AtomicFileTests
{
    [Fact]
    public void A_file_is_written_and_replaced()
    {
        using var folder = new TemporaryFolder();
        AtomicFile.WriteAllText(folder["f"], "Zürich");
        Assert.Equal("Zürich"u8.ToArray(), File.ReadAllBytes(folder["f"]));
        AtomicFile.WriteAllBytes(folder["f"], new byte[] { 1, 2 });
        Assert.Equal([1, 2], File.ReadAllBytes(folder["f"]));
        Assert.Equal(["f"], folder.Names);
    }

    [Fact]
    public void A_failure_leaves_the_file_as_it_was()
    {
        using var folder = new TemporaryFolder();
        AtomicFile.WriteAllText(folder["f"], "old");
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(folder["f"], stream =>
        {
            stream.Write("half"u8);
            throw new InvalidOperationException();
        }));
        Assert.Equal("old", File.ReadAllText(folder["f"]));
        Assert.Equal(["f"], folder.Names);
    }

    [Fact]
    public void A_missing_folder_and_a_folder_in_the_way_are_told()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("does not exist", Assert.Throws<UserErrorException>(() => AtomicFile.WriteAllText(folder["a/f"], "")).Message, StringComparison.Ordinal);
        Assert.Contains("is a folder", Assert.Throws<UserErrorException>(() => AtomicFile.WriteAllText(folder.Path, "")).Message, StringComparison.Ordinal);
    }
}
