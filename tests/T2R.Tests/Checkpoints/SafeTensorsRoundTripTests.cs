using T2R.Checkpoints;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Checkpoints;

public class SafeTensorsRoundTripTests
{
    private static SafeTensorsFile RoundTrip(TemporaryFolder folder, params (string Name, Tensor Tensor)[] tensors)
    {
        AtomicFile.Write(folder["f.safetensors"], stream =>
        {
            var writer = new SafeTensorsWriter(stream, tensors.Select(t => new TensorSpec(t.Name, t.Tensor.dtype, [.. t.Tensor.shape])));
            foreach (var (name, tensor) in tensors)
            {
                writer.Write(name, tensor);
            }

            writer.Finish();
        });
        return SafeTensorsFile.Open(folder["f.safetensors"]);
    }

    [Theory]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Int64)]
    [InlineData(ScalarType.Int32)]
    [InlineData(ScalarType.Int16)]
    [InlineData(ScalarType.Int8)]
    [InlineData(ScalarType.Byte)]
    [InlineData(ScalarType.Bool)]
    public void Every_dtype_comes_back_as_scalar_matrix_and_empty_tensor(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Tensor matrix = arange(-6, 9, dtype: ScalarType.Float32).reshape(3, 5).to_type(dtype), scalar = matrix[1, 2].clone(), nothing = empty([0, 4], dtype);
        using var file = RoundTrip(folder, ("matrix", matrix), ("scalar", scalar), ("nothing", nothing));
        foreach (var (name, tensor) in new[] { ("matrix", matrix), ("scalar", scalar), ("nothing", nothing) })
        {
            Tensor view = file.Read(name);
            Assert.Equal(tensor.dtype, view.dtype);
            Assert.Equal(tensor.shape, view.shape);
            Assert.True(tensor.equal(view).all().item<bool>());
        }
    }

    // The codes of 1, 448 and 2^-9 in E4M3; of 1, 57344 and 2^-16 in E5M2 (Micikevicius et al., FP8 Formats for Deep Learning, 2022).
    [Theory]
    [InlineData("F8_E4M3", 0x38, 0x7e, 0x01, 448f, 1 / 512f)]
    [InlineData("F8_E5M2", 0x3c, 0x7b, 0x01, 57344f, 1 / 65536f)]
    public void Both_kinds_of_FP8_are_read_as_the_numbers_they_are(string dtype, byte one, byte largest, byte smallest, float max, float min)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        byte[] file = RawSafeTensors.Bytes(RawSafeTensors.One(dtype, "[3]", "[0,3]"), 3);
        (file[^3], file[^2], file[^1]) = (one, largest, smallest);
        File.WriteAllBytes(folder["f"], file);
        using var opened = SafeTensorsFile.Open(folder["f"]);
        Assert.Equal([1, max, min], opened.Read("w").to(float32).data<float>().ToArray());
        Assert.Equal([one, largest, smallest], opened.ReadBytes("w"));
    }

    [Fact]
    public void Any_strides_are_written_row_major()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Tensor whole = randn(6, 8, 10);
        (string Name, Tensor Tensor)[] views =
        [
            ("transposed", whole.transpose(0, 2)), ("narrowed", whole.narrow(1, 2, 3)), ("offset", whole[3]), ("expanded", whole[0, 0].expand(4, 10)),
            ("with gradient", randn(3, 3).requires_grad_(true)),
        ];
        using var file = RoundTrip(folder, views);
        Assert.All(views, v => Assert.True(v.Tensor.detach().equal(file.Read(v.Name)).all().item<bool>(), v.Name));
    }

    [Theory]
    [InlineData(3_000_000, 1)]
    [InlineData(1, 3_000_000)]
    [InlineData(3, 1_200_000)]
    [InlineData(1_100_000, 3)]
    public void A_tensor_larger_than_a_slice_is_cut_and_stays_whole(long rows, long columns)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Tensor tensor = arange(rows * columns, dtype: ScalarType.Float32).reshape(columns, rows);
        using var file = RoundTrip(folder, ("contiguous", tensor), ("transposed", tensor.t()));
        Assert.True(tensor.equal(file.Read("contiguous")).all().item<bool>());
        Assert.True(tensor.t().equal(file.Read("transposed")).all().item<bool>());
    }

    [Fact]
    public void Writing_leaves_no_tensors_behind()
    {
        using var folder = new TemporaryFolder();
        using Tensor large = zeros(2_000_000, 2).t();
        long before = TensorCount.Settled();
        RoundTrip(folder, ("large", large)).Dispose();
        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void A_tensor_that_was_read_outlives_the_file_and_never_reaches_it()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var file = RoundTrip(folder, ("w", ones(300_000)));
        byte[] before = File.ReadAllBytes(file.Path);
        Tensor read = file.Read("w"), again = file.Read("w");
        file.Dispose();
        read.fill_(7);
        Assert.Equal(before, File.ReadAllBytes(file.Path));
        Assert.Equal(300_000f, again.sum().item<float>());
    }

    [Fact]
    public void Data_that_the_file_does_not_align_is_read_as_well()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        string header = """{"odd":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"w":{"dtype":"I32","shape":[2],"data_offsets":[3,11]}}""";
        File.WriteAllBytes(folder["f"], RawSafeTensors.Bytes(header, 11));
        using var file = SafeTensorsFile.Open(folder["f"]);
        Assert.Equal([0x06050403, 0x0a090807], file.Read("w").data<int>().ToArray());
        Assert.Equal([3, 4, 5, 6, 7, 8, 9, 10], file.ReadBytes("w"));
    }

    [Fact]
    public void Metadata_comes_back()
    {
        using var folder = new TemporaryFolder();
        var metadata = new Dictionary<string, string> { ["format"] = "pt", ["note"] = "Zürich \"quoted\"\n" };
        AtomicFile.Write(folder["f"], s => new SafeTensorsWriter(s, [], metadata).Finish());
        using var file = SafeTensorsFile.Open(folder["f"]);
        Assert.Equal(metadata, file.Metadata);
    }

    [Fact]
    public void Null_metadata_is_none()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["f"], RawSafeTensors.Bytes("""{"__metadata__":null}""", 0));
        using var file = SafeTensorsFile.Open(folder["f"]);
        Assert.Empty(file.Metadata);
    }

    [Fact]
    public void A_closed_file_gives_no_tensors()
    {
        using var folder = new TemporaryFolder();
        using Tensor one = ones(1);
        var file = RoundTrip(folder, ("w", one));
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Read("w"));
        Assert.Throws<ObjectDisposedException>(() => file.ReadBytes("w"));
    }

    [Fact]
    public void A_name_that_the_file_lacks_is_said_with_the_file()
    {
        using var folder = new TemporaryFolder();
        using Tensor one = ones(1);
        using var file = RoundTrip(folder, ("w", one));
        string message = Assert.Throws<UserErrorException>(() => file.Read("v")).Message;
        Assert.Contains(file.Path, message, StringComparison.Ordinal);
        Assert.Contains("'v'", message, StringComparison.Ordinal);
    }
}
