using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Models;

/// <summary>
/// One weight of an untrained model, piece by piece: norms 1, matrices normal with <see cref="Deviation"/>. Each number follows from the seed, the weight's name and
/// its place in the weight alone: threads, devices and the order of weights change nothing.
/// </summary>
internal sealed class RandomWeight
{
    private const int PieceCount = 1 << 20, FewNumbers = 4096;
    private readonly WeightSpec _spec;
    private readonly ulong _key, _stream;

    /// <summary>Describes a weight.</summary>
    /// <param name="config">The model's shape.</param>
    /// <param name="spec">Which weight.</param>
    /// <param name="seed">Of the model.</param>
    public RandomWeight(ModelConfig config, WeightSpec spec, long seed)
    {
        (_spec, _key) = (spec, (ulong)seed);
        _stream = BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(spec.Name)));
        bool writesResidual = spec.Name.EndsWith("o_proj.weight", StringComparison.Ordinal) || spec.Name.EndsWith("down_proj.weight", StringComparison.Ordinal);
        Deviation = LoraConfig.IsUp(spec.Name) ? 0
            : LoraConfig.IsAdapter(spec.Name) ? 1 / Math.Sqrt(3 * spec.Shape[1])
            : writesResidual ? 0.02 / Math.Sqrt(2 * config.Layers)
            : 0.02;
    }

    /// <summary>Standard deviation of a matrix: 0.02, in what writes into the residual stream smaller by √(2 L), as in GPT-2; of an adapter's A 1/√(3 I), of its B 0.</summary>
    public double Deviation { get; }

    /// <summary>The whole weight on the CPU, drawn by libtorch's threads.</summary>
    /// <param name="dtype">Of the result; a floating-point type.</param>
    public Tensor Draw(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var drawn = empty([.. _spec.Shape], dtype, CPU);
        var flat = drawn.view(-1);
        TorchThreads.ForEach((int)((_spec.Count + PieceCount - 1) / PieceCount), piece =>
        {
            long first = (long)piece * PieceCount;
            using var part = flat.narrow(0, first, Math.Min(PieceCount, _spec.Count - first));
            Fill(first, dtype, TensorMemory.Bytes(part));
        });
        return drawn.MoveToOuterDisposeScope();
    }

    /// <summary>Fills with a piece of the weight.</summary>
    /// <param name="first">Number of the piece's first element, a multiple of 16.</param>
    /// <param name="dtype">Of the elements; a floating-point type.</param>
    /// <param name="bytes">The piece, in the machine's byte order.</param>
    public void Fill(long first, ScalarType dtype, Span<byte> bytes)
    {
        switch (dtype)
        {
            case ScalarType.BFloat16 when !_spec.IsNorm:
                NormalNumbers.FillBFloat16(_key, _stream, first, (float)Deviation, MemoryMarshal.Cast<byte, ushort>(bytes));
                break;
            case ScalarType.Float32:
                FillSingles(first, MemoryMarshal.Cast<byte, float>(bytes));
                break;
            case ScalarType.BFloat16:
                Convert(first, MemoryMarshal.Cast<byte, ushort>(bytes), x => (ushort)(BitConverter.SingleToUInt32Bits(x) >> 16)); // 1 is exact
                break;
            case ScalarType.Float16:
                Convert(first, MemoryMarshal.Cast<byte, Half>(bytes), x => (Half)x);
                break;
            case ScalarType.Float64:
                Convert(first, MemoryMarshal.Cast<byte, double>(bytes), x => x);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "not a floating-point type of weights");
        }
    }

    private void FillSingles(long first, Span<float> numbers)
    {
        if (_spec.IsNorm)
        {
            numbers.Fill(1);
        }
        else
        {
            NormalNumbers.Fill(_key, _stream, first, (float)Deviation, numbers);
        }
    }

    private void Convert<T>(long first, Span<T> numbers, Func<float, T> convert)
    {
        Span<float> some = stackalloc float[FewNumbers];
        for (int i = 0; i < numbers.Length; i += FewNumbers)
        {
            var to = numbers[i..Math.Min(i + FewNumbers, numbers.Length)];
            FillSingles(first + i, some[..to.Length]);
            for (int j = 0; j < to.Length; j++)
            {
                to[j] = convert(some[j]);
            }
        }
    }
}
