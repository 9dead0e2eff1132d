using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary><see cref="SumOfSquares"/> of bf16 and fp32 on a card: each number is read once, of up to 64 tensors at a time, and the same tensors give the same bits.</summary>
internal static class CudaSumOfSquares
{
    // Blocks enough to fill a card, and with a block's numbers few enough that a small tensor has few shares.
    private const int Threads = 256, SumThreads = 1024, MostBlocks = 1024, MostParts = 64;
    private const long BlockBytes = 1L << 14;
    private static readonly PerCard<CudaModule?> Modules = new(device => CudaUnits.Load(device, "Ops/SumOfSquares.cu"));

    /// <summary>Whether the kernels can read a tensor.</summary>
    public static bool Takes(Tensor x) => CudaUnits.IsOnCard(x) && x.dtype is ScalarType.BFloat16 or ScalarType.Float32 && Modules[x.device_index] is not null;

    /// <inheritdoc cref="SumOfSquares.Of" />
    public static Tensor Of(IReadOnlyCollection<Tensor> tensors)
    {
        var device = tensors.First().device;
        int card = tensors.First().device_index;
        using var scope = NewDisposeScope();
        using var shares = empty(tensors.Sum(Blocks), ScalarType.Float32, device);
        nint place = CudaUnits.Address(shares);
        var parts = new List<(ScalarType Dtype, Part Part)>();
        foreach (var tensor in tensors)
        {
            int blocks = Blocks(tensor);
            parts.Add((tensor.dtype, new Part { Numbers = CudaUnits.Address(CudaUnits.Dense(tensor)), Count = tensor.numel(), Shares = place, Blocks = blocks }));
            place += blocks * sizeof(float);
        }

        foreach (var alike in parts.GroupBy(p => p.Dtype, p => p.Part))
        {
            foreach (var some in alike.Chunk(MostParts))
            {
                Launch(card, alike.Key == ScalarType.BFloat16 ? "squares_of_bf16" : "squares_of_f32", some);
            }
        }

        var sum = empty([], ScalarType.Float64, device);
        var all = new Shares { Numbers = CudaUnits.Address(shares), Count = shares.numel(), Sum = CudaUnits.Address(sum) };
        Modules[card]!.Kernel("sum_of_shares").Launch(CudaStream.Torch(card), 1, SumThreads, SumThreads * sizeof(double), all);
        return sum.MoveToOuterDisposeScope();
    }

    private static void Launch(int card, string kernel, Part[] parts)
    {
        var arguments = default(Arguments);
        int blocks = 0;
        for (int i = 0; i < MostParts; i++)
        {
            arguments.Parts[i] = i < parts.Length ? parts[i] with { Start = blocks } : new Part { Start = int.MaxValue };
            blocks += arguments.Parts[i].Blocks;
        }

        Modules[card]!.Kernel(kernel).Launch(CudaStream.Torch(card), blocks, Threads, Threads / 32 * sizeof(float), arguments);
    }

    private static int Blocks(Tensor x) => (int)Math.Clamp((x.numel() * x.element_size()) / BlockBytes, 1, MostBlocks);

    // SumOfSquares.cu
    [StructLayout(LayoutKind.Sequential)]
    private struct Part
    {
        public nint Numbers;
        public long Count;
        public nint Shares;
        public int Start, Blocks;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public SomeParts Parts;
    }

    [InlineArray(MostParts)]
    private struct SomeParts
    {
        private Part _first;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Shares
    {
        public nint Numbers;
        public long Count;
        public nint Sum;
    }
}
