using T2R.Checkpoints;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Checkpoints;

public class DiskFullTests
{
    // Every write to it fails as on a full disk.
    private const string Full = "/dev/full";

    [Fact]
    public void A_full_disk_is_called_so_and_nothing_is_kept()
    {
        using var folder = new TemporaryFolder();
        var error = Assert.Throws<IOException>(() => AtomicFile.Write(folder["out.safetensors"], _ =>
        {
            using var full = new FileStream(Full, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            new SafeTensorsWriter(full, [new("w", ScalarType.Byte, [1])]).Write("w", [1]);
        }));
        Assert.Contains("The disk is full", error.Message, StringComparison.Ordinal);
        Assert.Contains(folder["out.safetensors"], error.Message, StringComparison.Ordinal);
        Assert.Empty(folder.Names);
    }

    [Fact]
    public void Too_little_room_is_said_before_anything_is_written()
    {
        using var folder = new TemporaryFolder();
        using (var staged = new StagedFolder(folder["out"]))
        {
            TensorSpec huge = new("w", ScalarType.Float32, [1_000_000_000, 1_000_000]);
            var error = Assert.Throws<IOException>(() => new CheckpointWriter(staged, [huge]));
            Assert.Contains($"{folder["out"]} needs 4000000.0 GB", error.Message, StringComparison.Ordinal);
            Assert.Contains("free", error.Message, StringComparison.Ordinal);
            Assert.Empty(Directory.EnumerateFileSystemEntries(staged.Path));
        }

        Assert.Empty(folder.Names);
    }

    [Fact]
    public void What_fits_passes()
    {
        using var folder = new TemporaryFolder();
        using var staged = new StagedFolder(folder["out"]);
        staged.EnsureSpace(1);
    }
}
