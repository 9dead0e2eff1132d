using System.Text;
using T2R.Checkpoints;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Checkpoints;

public class SafeTensorsFormatTests
{
    private static byte[] Written(TensorSpec[] plan, IReadOnlyDictionary<string, string>? metadata, Action<SafeTensorsWriter> write)
    {
        using var stream = new MemoryStream();
        var writer = new SafeTensorsWriter(stream, plan, metadata);
        write(writer);
        writer.Finish();
        return stream.ToArray();
    }

    [Fact]
    public void The_header_is_compact_JSON_padded_with_spaces_to_eight_bytes()
    {
        byte[] file = Written([new("w", ScalarType.Int16, [2])], new Dictionary<string, string> { ["format"] = "pt" }, w => w.Write("w", [1, 0, 2, 0]));
        string header = """{"__metadata__":{"format":"pt"},"w":{"dtype":"I16","shape":[2],"data_offsets":[0,4]}}""";
        string padded = header.PadRight((header.Length + 7) / 8 * 8);
        Assert.NotEqual(header, padded);
        byte[] expected = [(byte)padded.Length, 0, 0, 0, 0, 0, 0, 0, .. Encoding.UTF8.GetBytes(padded), 1, 0, 2, 0];
        Assert.Equal(expected, file);
    }

    [Fact]
    public void A_file_without_tensors_is_valid()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["empty"], Written([], null, _ => { }));
        using var file = SafeTensorsFile.Open(folder["empty"]);
        Assert.Empty(file.Entries);
        Assert.Empty(file.Metadata);
    }

    [Fact]
    public void Larger_elements_come_first_so_that_all_are_aligned()
    {
        using var folder = new TemporaryFolder();
        TensorSpec[] plan = [new("byte", ScalarType.Byte, [3]), new("half", ScalarType.BFloat16, [1]), new("double", ScalarType.Float64, [1]), new("byte2", ScalarType.Byte, [1])];
        File.WriteAllBytes(folder["f"], Written(plan, null, Fill));
        using var file = SafeTensorsFile.Open(folder["f"]);
        Assert.Equal(["double", "half", "byte", "byte2"], file.Entries.Select(e => e.Name));
        Assert.Equal(Written(plan, null, Fill), Written([.. plan.Reverse()], null, Fill));
        Assert.All(file.Entries, e => Assert.Equal(0, e.Offset % (e.ByteCount / Math.Max(1, e.Shape[0]))));

        void Fill(SafeTensorsWriter writer) => Array.ForEach(plan, s => writer.Write(s.Name, new byte[s.ByteCount]));
    }

    [Fact]
    public void The_order_of_writing_does_not_change_the_file()
    {
        TensorSpec[] plan = [new("a", ScalarType.Byte, [3]), new("b", ScalarType.Byte, [2]), new("c", ScalarType.Byte, [4])];
        byte[] forward = Written(plan, null, w => Array.ForEach(plan, s => w.Write(s.Name, Content(s))));
        byte[] backward = Written(plan, null, w => Array.ForEach([.. plan.Reverse()], s => w.Write(s.Name, Content(s))));
        Assert.Equal(forward, backward);

        static byte[] Content(TensorSpec spec) => [.. Enumerable.Repeat((byte)spec.Name[0], (int)spec.ByteCount)];
    }

    [Fact]
    public void The_plan_is_kept_to_the_letter()
    {
        using var scope = NewDisposeScope();
        using var stream = new MemoryStream();
        var writer = new SafeTensorsWriter(stream, [new("w", ScalarType.Float32, [2, 3])]);
        Assert.Contains("'v'", Assert.Throws<ArgumentException>(() => writer.Write("v", zeros(2, 3))).Message, StringComparison.Ordinal);
        Assert.Contains("[3,2]", Assert.Throws<ArgumentException>(() => writer.Write("w", zeros(3, 2))).Message, StringComparison.Ordinal);
        Assert.Contains("Float64", Assert.Throws<ArgumentException>(() => writer.Write("w", zeros(2, 3, dtype: float64))).Message, StringComparison.Ordinal);
        Assert.Contains("23 bytes", Assert.Throws<ArgumentException>(() => writer.Write("w", new byte[23])).Message, StringComparison.Ordinal);
        Assert.Contains("'w'", Assert.Throws<InvalidOperationException>(writer.Finish).Message, StringComparison.Ordinal);
        writer.Write("w", zeros(2, 3));
        Assert.Throws<ArgumentException>(() => writer.Write("w", zeros(2, 3)));
        writer.Finish();
    }

    [Fact]
    public void A_plan_names_each_tensor_once_and_none_like_the_metadata()
    {
        using var stream = new MemoryStream();
        TensorSpec spec = new("w", ScalarType.Byte, [1]);
        Assert.Throws<ArgumentException>(() => new SafeTensorsWriter(stream, [spec, spec]));
        Assert.Throws<ArgumentException>(() => new SafeTensorsWriter(stream, [spec with { Name = "__metadata__" }]));
        Assert.Throws<ArgumentException>(() => new SafeTensorsWriter(stream, [spec with { Shape = [-1] }]));
    }
}
