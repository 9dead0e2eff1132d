using T2R.Checkpoints;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Checkpoints;

public class RealCheckpointTests
{
    [Theory]
    [InlineData("stories260K", 48, ScalarType.Float32, 260_032 + (512 * 64))]
    [InlineData("lab/teacher", 111, ScalarType.BFloat16, 25_175_424)]
    public void A_folder_from_Python_opens_whole(string name, int tensors, ScalarType dtype, long parameters)
    {
        using var folder = CheckpointFolder.Open(SharedData.Path(name));
        Assert.Equal(tensors, folder.Entries.Count);
        Assert.All(folder.Entries.Values, e => Assert.Equal(dtype, e.Dtype));
        Assert.Equal(parameters * dtype.ElementSize(), folder.TotalBytes);
    }

    [Theory]
    [InlineData("stories260K")]
    [InlineData("lab/teacher")]
    [InlineData("mixed")]
    public void A_file_written_in_Python_is_written_again_to_the_byte(string name)
    {
        using var temporary = new TemporaryFolder();
        string[] files = name == "mixed" ? [SharedData.Path("gsa-op.safetensors")] : Directory.GetFiles(SharedData.Path(name), "*.safetensors");
        Assert.NotEmpty(files);
        foreach (string path in files)
        {
            using var source = SafeTensorsFile.Open(path);
            AtomicFile.Write(temporary["copy"], stream =>
            {
                var plan = source.Entries.Select(e => new TensorSpec(e.Name, e.Dtype, e.Shape)).Reverse();
                var writer = new SafeTensorsWriter(stream, plan, source.Metadata.Count > 0 ? source.Metadata : null);
                foreach (TensorEntry entry in source.Entries)
                {
                    writer.Copy(entry.Name, source, entry.Name);
                }

                writer.Finish();
            });
            Assert.True(File.ReadAllBytes(path).AsSpan().SequenceEqual(File.ReadAllBytes(temporary["copy"])), path);
        }
    }

    [Fact]
    public void A_copy_of_a_sharded_folder_holds_the_same_bytes()
    {
        using var scope = NewDisposeScope();
        using var temporary = new TemporaryFolder();
        using var source = CheckpointFolder.Open(SharedData.Path("lab/teacher"));
        using (var staged = new StagedFolder(temporary["copy"]))
        {
            using var writer = new CheckpointWriter(staged, [.. source.Entries.Values.Select(e => new TensorSpec(e.Name, e.Dtype, e.Shape))], maxShardBytes: 16_000_000);
            foreach (string name in source.Entries.Keys)
            {
                writer.Write(name, source.Read(name));
            }

            writer.Finish();
            staged.Commit();
        }

        using var copy = CheckpointFolder.Open(temporary["copy"]);
        Assert.Equal(source.Entries.Keys.Order(), copy.Entries.Keys.Order());
        Assert.All(source.Entries.Keys, name => Assert.True(source.Read(name).equal(copy.Read(name)).all().item<bool>(), name));
        Assert.Contains("model.safetensors.index.json", Directory.EnumerateFiles(temporary["copy"]).Select(p => Path.GetFileName(p)));
    }
}
