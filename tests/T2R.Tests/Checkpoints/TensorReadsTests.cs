using System.Diagnostics;
using T2R.Checkpoints;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Checkpoints;

public class TensorReadsTests
{
    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Whole_tensors_and_rows_of_them_land_converted_in_tensors_that_are_there(ScalarType wanted)
    {
        using var temporary = new TemporaryFolder();
        using var scope = NewDisposeScope();
        var source = randn(7, 5);
        Write(temporary["a.safetensors"], ("w", source));
        using var file = SafeTensorsFile.Open(temporary["a.safetensors"]);
        var (whole, rows) = (zeros(7, 5, wanted), zeros(3, 5, wanted));
        long before = TensorCount.Settled();
        var reads = new TensorReads();
        reads.Add(file, "w", whole);
        reads.Add(file, "w", rows, firstRow: 2);
        reads.Run();

        Assert.Equal(before, Tensor.TotalCount);
        Assert.True(whole.equal(source.to(wanted)).all().item<bool>());
        Assert.True(rows.equal(source.narrow(0, 2, 3).to(wanted)).all().item<bool>());
    }

    [Fact]
    public void A_tensor_larger_than_what_is_converted_at_once_lands_whole()
    {
        using var temporary = new TemporaryFolder();
        using var scope = NewDisposeScope();
        var source = arange(5_000_001, dtype: ScalarType.Float32);
        Write(temporary["a.safetensors"], ("w", source));
        using var file = SafeTensorsFile.Open(temporary["a.safetensors"]);
        var (whole, tail) = (zeros(5_000_001, ScalarType.Int64), zeros(4_300_000, ScalarType.Float64));
        var reads = new TensorReads();
        reads.Add(file, "w", whole);
        reads.Add(file, "w", tail, firstRow: 700_001);
        reads.Run();
        Assert.True(whole.equal(arange(5_000_001, dtype: ScalarType.Int64)).all().item<bool>());
        Assert.True(tail.equal(arange(700_001, 5_000_001, dtype: ScalarType.Float64)).all().item<bool>());
    }

    [Fact]
    public void Another_shape_and_rows_beyond_the_end_are_refused_by_name()
    {
        using var temporary = new TemporaryFolder();
        using var scope = NewDisposeScope();
        Write(temporary["a.safetensors"], ("w", randn(7, 5)));
        using var file = SafeTensorsFile.Open(temporary["a.safetensors"]);
        foreach (var (target, firstRow) in new[] { (zeros(5, 7), 0), (zeros(35), 0), (zeros(3, 5), 5), (zeros(8, 5), 0) })
        {
            var error = Assert.Throws<UserErrorException>(() => new TensorReads().Add(file, "w", target, firstRow));
            Assert.Contains("a.safetensors: tensor 'w' has shape [7, 5]", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_file_that_was_cut_off_is_an_IOException()
    {
        using var temporary = new TemporaryFolder();
        using var scope = NewDisposeScope();
        Write(temporary["a.safetensors"], ("v", randn(3)), ("w", randn(700, 500)));
        using var file = SafeTensorsFile.Open(temporary["a.safetensors"]);
        byte[] read = new byte[1000];
        file.Read(file["w"], 123_456, read);
        Assert.Equal(file.ReadBytes("w").AsSpan(123_456, 1000).ToArray(), read);

        // By another process: this one may not write what it has open.
        Process.Start("truncate", ["-s", "-10", temporary["a.safetensors"]]).WaitForExit();
        var error = Assert.Throws<IOException>(() => file.Read(file["w"], file["w"].ByteCount - 1000, read));
        Assert.Contains("became shorter", error.Message, StringComparison.Ordinal);
        foreach (Action whole in (Action[])[() => file.Read("w"), () => file.ReadBytes("w"), () => Land(zeros(700, 500)), () => Land(zeros(700, 500, ScalarType.Float64))])
        {
            Assert.Contains("tensor 'w'", Assert.Throws<IOException>(whole).Message, StringComparison.Ordinal);
        }

        Assert.Equal([3], file.Read("v").shape);

        void Land(Tensor target)
        {
            var reads = new TensorReads();
            reads.Add(file, "w", target);
            reads.Run();
        }
    }

    private static void Write(string path, params (string Name, Tensor Value)[] tensors)
    {
        using var stream = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var writer = new SafeTensorsWriter(stream, tensors.Select(t => new TensorSpec(t.Name, t.Value.dtype, [.. t.Value.shape])));
        foreach (var (name, value) in tensors)
        {
            writer.Write(name, value);
        }

        writer.Finish();
    }
}
