using T2R.Checkpoints;
using T2R.Models;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Checkpoints;

public class CheckpointFolderTests
{
    private static void WriteShard(string path, params string[] names)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        AtomicFile.Write(path, stream =>
        {
            var writer = new SafeTensorsWriter(stream, names.Select(n => new TensorSpec(n, ScalarType.Byte, [1])));
            Array.ForEach(names, n => writer.Write(n, [(byte)n[0]]));
            writer.Finish();
        });
    }

    private static void WriteIndex(TemporaryFolder folder, params (string Tensor, string File)[] map) => File.WriteAllText(
        folder["model.safetensors.index.json"],
        """{"metadata":{"total_size":0},"weight_map":{""" + string.Join(',', map.Select(m => $"\"{m.Tensor}\":\"{m.File}\"")) + "}}");

    private static IReadOnlyList<string> ProblemsOf(string folder) => Assert.Throws<UserErrorException>(() => CheckpointFolder.Open(folder)).Problems;

    [Fact]
    public void Shards_open_as_one()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        WriteShard(folder["1.safetensors"], "a", "b");
        WriteShard(folder["2.safetensors"], "c");
        WriteIndex(folder, ("c", "2.safetensors"), ("b", "1.safetensors"), ("a", "1.safetensors"));
        using var checkpoint = CheckpointFolder.Open(folder.Path);
        Assert.Equal(["a", "b", "c"], checkpoint.Entries.Keys);
        Assert.Equal(3, checkpoint.TotalBytes);
        Assert.Equal(folder["2.safetensors"], checkpoint.FileOf("c"));
        Assert.Equal((byte)'c', checkpoint.Read("c").item<byte>());
        Assert.Contains("'d'", Assert.Throws<UserErrorException>(() => checkpoint.Read("d")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_problem_of_every_shard_is_reported_at_once()
    {
        using var folder = new TemporaryFolder();
        WriteShard(folder["1.safetensors"], "a", "surplus");
        File.WriteAllText(folder["2.safetensors"], "short");
        WriteIndex(
            folder, ("a", "1.safetensors"), ("absent", "1.safetensors"), ("b", "2.safetensors"), ("c", "3.safetensors"), ("d", "../4.safetensors"), ("e", "/5.safetensors"));
        IReadOnlyList<string> problems = ProblemsOf(folder.Path);
        Assert.Equal(6, problems.Count);
        Assert.Contains(problems, p => p.Contains("'absent'", StringComparison.Ordinal) && p.Contains("1.safetensors", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.Contains("'surplus'", StringComparison.Ordinal) && p.Contains("1.safetensors", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.Contains("5 bytes", StringComparison.Ordinal) && p.Contains("2.safetensors", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.Contains("'3.safetensors' is missing", StringComparison.Ordinal) && p.Contains("'c'", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.Contains("'../4.safetensors', which leaves the folder", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.Contains("'/5.safetensors', which leaves the folder", StringComparison.Ordinal));
    }

    // models--org--name: blobs hold the content under its hash, a snapshot links to it.
    [Fact]
    public void A_snapshot_in_Hugging_Faces_cache_opens_through_its_links()
    {
        using var folder = new TemporaryFolder();
        WriteShard(folder["blobs/1f"], "a");
        WriteShard(folder["blobs/2f"], "b");
        string snapshot = folder["snapshots/abc"];
        Directory.CreateDirectory(snapshot);
        File.WriteAllText(folder["blobs/3f"], """{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}""");
        foreach (var (name, blob) in new[] { ("1.safetensors", "1f"), ("2.safetensors", "2f"), ("model.safetensors.index.json", "3f") })
        {
            File.CreateSymbolicLink(Path.Combine(snapshot, name), $"../../blobs/{blob}");
        }

        using (var checkpoint = CheckpointFolder.Open(snapshot))
        {
            Assert.Equal(["a", "b"], checkpoint.Entries.Keys);
        }

        File.Delete(folder["blobs/2f"]);
        string problem = Assert.Single(ProblemsOf(snapshot));
        Assert.Contains("2.safetensors: this is a link to ../../blobs/2f, where there is no file; fetch the file again", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nowhere")]
    [InlineData("model.safetensors")]
    public void A_link_that_leads_nowhere_is_told_from_a_missing_file(string target)
    {
        using var folder = new TemporaryFolder();
        File.CreateSymbolicLink(folder["model.safetensors"], target);
        Assert.Contains($"model.safetensors: this is a link to {target}", Assert.Single(ProblemsOf(folder.Path)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_tensor_in_another_shard_than_the_index_says_is_refused()
    {
        using var folder = new TemporaryFolder();
        WriteShard(folder["1.safetensors"], "a", "b");
        WriteShard(folder["2.safetensors"], "b");
        WriteIndex(folder, ("a", "1.safetensors"), ("b", "2.safetensors"));
        Assert.Contains("'b'", Assert.Single(ProblemsOf(folder.Path)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"weight_map":{}}""", "empty")]
    [InlineData("""{"weight_map":[]}""", "'weight_map'")]
    [InlineData("""{}""", "'weight_map'")]
    [InlineData("""[]""", "'weight_map'")]
    [InlineData("""{"weight_map":{"a":1}}""", "'a'")]
    [InlineData("""{"weight_map":{"a":"x","a":"y"}}""", "not valid JSON")]
    [InlineData("""{"weight_map":{"a":"\ud800"}}""", "not valid JSON")]
    [InlineData("""{"weight_map":{"a":"x\u0000"}}""", "'a'")]
    [InlineData("""{"weight_map":{"a":""}}""", "'a'")]
    [InlineData("""{"weight_map":{"a":"."}}""", "'a'")]
    [InlineData("{", "not valid JSON")]
    public void A_wrong_index_is_named(string index, string expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["model.safetensors.index.json"], index);
        string problem = Assert.Single(ProblemsOf(folder.Path));
        Assert.Contains(expected, problem, StringComparison.Ordinal);
        Assert.Contains(folder["model.safetensors.index.json"], problem, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_checkpoint_is_told_with_what_to_do()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("no such folder", ProblemsOf(folder["nothing"])[0], StringComparison.Ordinal);
        Assert.Contains("no weights", ProblemsOf(folder.Path)[0], StringComparison.Ordinal);
        File.WriteAllText(folder["file"], "");
        Assert.Contains("this is a file", ProblemsOf(folder["file"])[0], StringComparison.Ordinal);
        WriteShard(folder["model-00001-of-00002.safetensors"], "a");
        Assert.Contains("model.safetensors.index.json", ProblemsOf(folder.Path)[0], StringComparison.Ordinal);
        File.WriteAllText(folder["pytorch_model.bin"], "");
        Assert.Contains("save_pretrained", ProblemsOf(folder.Path)[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_in_GGUF_and_a_caches_upper_folder_are_named()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["model.q4.gguf"], "");
        Assert.Contains("model.q4.gguf", ProblemsOf(folder.Path)[0], StringComparison.Ordinal);
        Directory.CreateDirectory(folder["hub/snapshots/a1b2"]);
        Assert.Contains("snapshots/a1b2", Assert.Throws<UserErrorException>(() => ModelFolder.Open(folder["hub"])).Message, StringComparison.Ordinal);
    }
}
