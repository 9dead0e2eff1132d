using System.Collections.Immutable;
using System.Text.Json;
using T2R.Checkpoints;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Checkpoints;

public class CheckpointWriterTests
{
    private static readonly TensorSpec[] Plan = [.. Enumerable.Range(0, 10).Select(i => new TensorSpec($"t{i}", ScalarType.Int32, ImmutableArray.Create<long>(i, 2)))];

    private static void Write(string target, long maxShardBytes, IEnumerable<TensorSpec> order)
    {
        using var scope = NewDisposeScope();
        using var staged = new StagedFolder(target);
        using var writer = new CheckpointWriter(staged, Plan, maxShardBytes);
        foreach (TensorSpec spec in order)
        {
            writer.Write(spec.Name, full([.. spec.Shape], int.Parse(spec.Name.AsSpan(1)), dtype: spec.Dtype));
        }

        writer.Finish();
        staged.Commit();
    }

    private static Dictionary<string, byte[]> Content(string folder) => Directory.EnumerateFiles(folder).ToDictionary(f => Path.GetFileName(f), File.ReadAllBytes);

    [Fact]
    public void What_fits_in_one_file_gets_no_index()
    {
        using var folder = new TemporaryFolder();
        Write(folder["out"], Plan.Sum(s => s.ByteCount), Plan);
        Assert.Equal(["model.safetensors"], Content(folder["out"]).Keys);
    }

    [Fact]
    public void Shards_are_filled_in_the_plans_order_up_to_their_limit()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Write(folder["out"], 100, Plan);
        string[] files = [.. Directory.EnumerateFiles(folder["out"], "*.safetensors").Order(StringComparer.Ordinal)];
        Assert.Equal(Enumerable.Range(1, files.Length).Select(i => $"model-{i:D5}-of-{files.Length:D5}.safetensors"), files.Select(f => Path.GetFileName(f)));
        foreach (string path in files)
        {
            using var file = SafeTensorsFile.Open(path);
            Assert.InRange(file.Entries.Sum(e => e.ByteCount), 1, 100);
            Assert.Equal("pt", file.Metadata["format"]);
        }

        using var checkpoint = CheckpointFolder.Open(folder["out"]);
        Assert.Equal(Plan.Select(s => s.Name), checkpoint.Entries.Keys);
        Assert.All(Plan.Skip(1), s => Assert.Equal(s.Name, $"t{checkpoint.Read(s.Name)[0, 0].item<int>()}"));
        using var index = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder["out"], "model.safetensors.index.json")));
        Assert.Equal(Plan.Sum(s => s.ByteCount), index.RootElement.GetProperty("metadata").GetProperty("total_size").GetInt64());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("/dev/shm")] // another file system, between which the kernel may refuse to copy
    public void A_copy_from_another_checkpoint_gives_the_bytes_of_a_write(string? elsewhere)
    {
        Assert.SkipUnless(elsewhere is null || Directory.Exists(elsewhere), $"there is no {elsewhere}");
        using var folder = new TemporaryFolder();
        string source = elsewhere is null ? folder["source"] : Path.Combine(elsewhere, Path.GetFileName(folder.Path));
        Write(source, 100, Plan);
        Write(folder["written"], 200, Plan);
        using (var checkpoint = CheckpointFolder.Open(source))
        using (var staged = new StagedFolder(folder["copied"]))
        using (var writer = new CheckpointWriter(staged, Plan, 200))
        {
            foreach (TensorSpec spec in Plan.Reverse())
            {
                writer.Copy(spec.Name, checkpoint, spec.Name);
            }

            writer.Finish();
            staged.Commit();
        }

        Directory.Delete(source, recursive: true);
        Assert.Equal(Content(folder["written"]), Content(folder["copied"]));
    }

    [Fact]
    public void A_copy_of_another_shape_is_refused()
    {
        using var folder = new TemporaryFolder();
        Write(folder["source"], 1000, Plan);
        using var checkpoint = CheckpointFolder.Open(folder["source"]);
        using var staged = new StagedFolder(folder["copied"]);
        using var writer = new CheckpointWriter(staged, Plan);
        Assert.Contains("[4,2]", Assert.Throws<ArgumentException>(() => writer.Copy("t3", checkpoint, "t4")).Message);
    }

    [Fact]
    public void A_tensor_above_the_limit_has_a_file_of_its_own()
    {
        using var folder = new TemporaryFolder();
        Write(folder["out"], 1, Plan);
        Assert.Equal(9, Directory.EnumerateFiles(folder["out"], "*.safetensors").Count());
        using var checkpoint = CheckpointFolder.Open(folder["out"]);
        Assert.Equal(10, checkpoint.Entries.Count);
    }

    [Fact]
    public void The_same_tensors_give_the_same_bytes_in_whatever_order_they_come()
    {
        using var folder = new TemporaryFolder();
        Write(folder["a"], 100, Plan);
        Write(folder["b"], 100, Plan.Reverse());
        Dictionary<string, byte[]> a = Content(folder["a"]), b = Content(folder["b"]);
        Assert.Equal(a.Keys.Order(), b.Keys.Order());
        Assert.All(a.Keys, name => Assert.Equal(a[name], b[name]));
    }

    [Fact]
    public void A_checkpoint_that_lacks_a_tensor_cannot_be_finished()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("t4", Assert.Throws<InvalidOperationException>(() => Write(folder["out"], 100, Plan.Where(s => s.Name != "t4"))).Message, StringComparison.Ordinal);
        Assert.Empty(folder.Names);
    }

    [Fact]
    public void A_tensor_outside_the_plan_or_written_twice_is_refused()
    {
        using var folder = new TemporaryFolder();
        Assert.Throws<ArgumentException>(() => Write(folder["out"], 100, [.. Plan, Plan[3]]));
        Assert.Throws<ArgumentException>(() => Write(folder["out"], 100, [Plan[3] with { Name = "t33" }]));
        Assert.Empty(folder.Names);
    }
}
