using System.Diagnostics;
using T2R.Conversion;
using T2R.Interop;
using T2R.Interop.Cuda;
using T2R.Mixers;
using T2R.Models;
using T2R.Ops.Quantized;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>What is on the card is what is in the files, whatever dtype either has.</summary>
public class LoadingTests
{
    // Its embedding takes several pieces of a bulk copy in every dtype, and its head a piece that is not full.
    private static readonly ModelConfig Config = new()
    {
        VocabularySize = 20011,
        HiddenSize = 1024,
        IntermediateSize = 1536,
        NormEpsilon = 1e-5,
        TieWordEmbeddings = false,
        MaxPositionEmbeddings = 512,
        Mixers = [new SoftmaxAttentionConfig(8, 2, 128, 10000, null), new GatedSlotAttentionConfig(8, 2, 128, 16)],
    };

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(ScalarType.BFloat16, ScalarType.BFloat16)]
    [InlineData(ScalarType.BFloat16, ScalarType.Float32)]
    [InlineData(ScalarType.Float32, ScalarType.BFloat16)]
    [InlineData(ScalarType.Float32, ScalarType.Float32)]
    public void A_folder_loads_to_the_card_as_to_the_CPU(ScalarType stored, ScalarType wanted)
    {
        using var temporary = new Temporary();
        RandomModel.Write(Config, temporary.Path, seed: 3, stored, replace: true, cancellation: TestContext.Current.CancellationToken);
        using var folder = ModelFolder.Open(temporary.Path);
        long before = Settled();
        using (var onCard = folder.Load(CUDA, wanted))
        using (var onCpu = folder.Load(CPU, wanted))
        {
            AssertSame(onCpu.Weights, onCard.Weights);
        }

        Assert.Equal(before, Settled());
    }

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData("int8")]
    [InlineData("int4")]
    public void A_folder_loads_in_few_bits_to_the_card_as_to_the_CPU(string name)
    {
        using var temporary = new Temporary();
        RandomModel.Write(Config, temporary.Path, seed: 3, ScalarType.BFloat16, replace: true, cancellation: TestContext.Current.CancellationToken);
        using var folder = ModelFolder.Open(temporary.Path);
        long before = Settled();
        using (var onCard = folder.Load(CUDA, ScalarType.BFloat16, QuantizedFormat.Parse(name)))
        using (var onCpu = folder.Load(CPU, ScalarType.BFloat16, QuantizedFormat.Parse(name)))
        {
            AssertSame(onCpu.Weights, onCard.Weights);
            foreach (var spec in onCpu.Weights.Specs.Where(s => s.IsProjection))
            {
                using var scope = NewDisposeScope();
                QuantizedWeight expected = onCpu.Weights.Quantized(spec.Name)!, actual = onCard.Weights.Quantized(spec.Name)!;

                // Codes lie as kernels read them there.
                Assert.True(expected.Dequantize(ScalarType.Float32).equal(actual.Dequantize(ScalarType.Float32).cpu()).all().item<bool>(), spec.Name);
            }
        }

        Assert.Equal(before, Settled());
    }

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float32)]
    public void A_seed_means_the_same_numbers_on_the_card(ScalarType dtype)
    {
        using var onCard = WeightSet.Random(Config, 7, CUDA, dtype);
        using var onCpu = WeightSet.Random(Config, 7, CPU, dtype);
        AssertSame(onCpu, onCard);
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void What_torch_had_begun_is_in_what_is_copied_to_the_host_and_what_is_copied_to_the_card_is_there_for_torch()
    {
        using var scope = NewDisposeScope();
        const int length = (3 * BulkCopy.PieceBytes / 4) + 12345;
        var (a, b) = (zeros(length, ScalarType.Int32, CUDA), zeros(7, ScalarType.Int32, CUDA));
        for (int i = 0; i < 200; i++)
        {
            a.add_(1);
        }

        b.add_(5);
        var (hostA, hostB) = (empty(length, ScalarType.Int32), empty(7, ScalarType.Int32));
        BulkCopy.ToHost(device: 0, [Part(a, hostA), Part(b, hostB)]);
        Assert.True(hostA.eq(200).all().item<bool>());
        Assert.True(hostB.eq(5).all().item<bool>());

        var numbers = arange(length, ScalarType.Int32);
        BulkCopy.ToDevice(device: 0, [(TensorMemory.DataPointer(a), 4L * length)], (_, offset, piece) => TensorMemory.Bytes(numbers).Slice((int)offset, piece.Length).CopyTo(piece));
        Assert.Equal((long)length * (length - 1) / 2, a.sum(ScalarType.Int64).item<long>());
        Assert.True(a.cpu().equal(numbers).all().item<bool>());

        static (nint, nint, long) Part(Tensor device, Tensor host) => (TensorMemory.DataPointer(device), TensorMemory.DataPointer(host), 4 * device.numel());
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void A_failure_while_filling_is_thrown_once_and_the_next_copy_works()
    {
        using var scope = NewDisposeScope();
        const int length = 40 * BulkCopy.PieceBytes;
        var target = empty(length, ScalarType.Byte, CUDA);
        int calls = 0;
        var error = Assert.Throws<IOException>(() => BulkCopy.ToDevice(device: 0, [(TensorMemory.DataPointer(target), length)], (_, offset, piece) =>
        {
            Interlocked.Increment(ref calls);
            throw new IOException("the disk fails");
        }));
        Assert.Equal("the disk fails", error.Message);
        Assert.InRange(calls, 1, 39);
        BulkCopy.ToDevice(device: 0, [(TensorMemory.DataPointer(target), length)], (_, _, piece) => piece.Fill(9));
        Assert.True(target.eq(9).all().item<bool>());
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void A_file_that_was_cut_off_meanwhile_is_an_IOException()
    {
        using var temporary = new Temporary();
        RandomModel.Write(Config, temporary.Path, seed: 3, ScalarType.BFloat16, replace: true, cancellation: TestContext.Current.CancellationToken);
        using var folder = ModelFolder.Open(temporary.Path);
        string file = Path.Combine(temporary.Path, "model.safetensors");

        // By another process: this one may not write what it has open.
        Process.Start("truncate", ["-s", "-100000", file]).WaitForExit();
        Assert.Contains(file, Assert.Throws<IOException>(() => folder.Load(CUDA, ScalarType.BFloat16)).Message, StringComparison.Ordinal);
    }

    private static void AssertSame(WeightSet expected, WeightSet actual) => Assert.All(expected.All, w =>
    {
        using var copy = actual[w.Spec.Name].cpu();
        Assert.Equal(w.Tensor.dtype, copy.dtype);
        Assert.True(TensorMemory.Bytes(w.Tensor).SequenceEqual(TensorMemory.Bytes(copy)), w.Spec.Name);
    });

    private static long Settled()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Tensor.TotalCount;
    }

    private sealed class Temporary : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("t2r-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
