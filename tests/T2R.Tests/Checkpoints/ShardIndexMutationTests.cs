using CsCheck;
using T2R.Checkpoints;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Checkpoints;

public class ShardIndexMutationTests
{
    private const string Index = """{"metadata":{"total_size":2},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}""";

    private static readonly string[] Tokens =
        ["{", "}", "[", "]", ",", ":", "\"", "null", "0", "\"a\"", "\"b\"", "\"c\"", "../", "/", "..", ".", "\\u0000", "\\ud800", "../outside.safetensors", "1.safetensors", "\"weight_map\"", ",\"c\":\"../outside.safetensors\""];

    [Fact]
    public void A_mutated_index_is_refused_in_words_or_opens_what_lies_beside_it()
    {
        using var folder = new TemporaryFolder();
        string inside = Directory.CreateDirectory(folder["m"]).FullName, index = Path.Combine(inside, "model.safetensors.index.json");
        Write(folder["outside.safetensors"], "c");
        Write(folder["m/1.safetensors"], "a");
        Write(folder["m/2.safetensors"], "b");
        int opened = 0;
        var edits = Gen.Select(Gen.Int[0, Index.Length], Gen.Int[0, 20], Gen.Int[0, Tokens.Length].Select(i => i == Tokens.Length ? "" : Tokens[i])).Array[1, 2];
        edits.Sample(
            changes =>
            {
                string text = changes.Aggregate(Index, (t, c) =>
                {
                    int start = Math.Min(c.Item1, t.Length);
                    return t.Remove(start, Math.Min(c.Item2, t.Length - start)).Insert(start, c.Item3);
                });
                File.Delete(index);
                File.WriteAllText(index, text);
                try
                {
                    using var checkpoint = CheckpointFolder.Open(inside);
                    Assert.All(checkpoint.Entries.Keys, name => Assert.Contains(name, (string[])["a", "b"]));
                    opened++;
                }
                catch (UserErrorException e)
                {
                    Assert.All(e.Problems, p => Assert.StartsWith(inside, p));
                }
            },
            iter: 2000,
            threads: 1);
        Assert.InRange(opened, 1, 1999);
    }

    private static void Write(string path, string name) => AtomicFile.Write(path, stream =>
    {
        var writer = new SafeTensorsWriter(stream, [new TensorSpec(name, ScalarType.Byte, [1])]);
        writer.Write(name, [1]);
        writer.Finish();
    });
}
