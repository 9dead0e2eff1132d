using System.Runtime.InteropServices;
using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Ops.Fp8;

/// <summary><see cref="Fp8Cast"/> of bf16 on a card, by the kernels of <c>Cast.cu</c>.</summary>
internal static class CudaFp8Cast
{
    private const int Threads = 256, Tile = 128;
    private static readonly Version LeastCapability = new(8, 9);
    private static readonly PerCard<CudaModule?> Modules = new(device => Lack(device) is null ? CudaUnits.Load(device, "Ops/Fp8/Cast.cu") : null);

    /// <summary>Why a card has no FP8; null when it has.</summary>
    /// <param name="device">The card's index.</param>
    public static string? Lack(int device) => CudaDevice.All()[device] is var card && card.ComputeCapability < LeastCapability
        ? $"{card.Name} has compute capability {card.ComputeCapability}, and FP8 products need {LeastCapability}"
        : null;

    /// <summary>Whether the kernels can read a matrix.</summary>
    public static bool Takes(Tensor x_NC) => CudaUnits.FitsInBFloat16(x_NC) && Fp8Product.Fits(x_NC.shape) && Modules[x_NC.device_index] is not null;

    /// <inheritdoc cref="Fp8Cast.Run" />
    public static void Run(Tensor x_NC, Fp8Cell cell, Tensor? straight, Tensor? transposed)
    {
        var x = CudaUnits.Dense(x_NC);
        var (rows, columns) = (checked((int)x.shape[0]), checked((int)x.shape[1]));
        var arguments = new Arguments
        {
            Input = CudaUnits.Address(x),
            Straight = CudaUnits.Address(straight),
            Transposed = CudaUnits.Address(transposed),
            Scale = CudaUnits.Address(cell.Scale),
            Largest = CudaUnits.Address(cell.Largest),
            StraightStride = straight?.stride(0) ?? 0,
            TransposedStride = transposed?.stride(0) ?? 0,
            Rows = rows,
            Columns = columns,
        };
        int blocks = Tiles(rows) * Tiles(columns);
        Modules[x.device_index]!.Kernel(cell.Format == Fp8Format.E4M3 ? "cast_e4m3" : "cast_e5m2").Launch(CudaStream.Torch(x.device_index), blocks, Threads, Tile * Tile, arguments);
    }

    private static int Tiles(int size) => (size + Tile - 1) / Tile;

    // Cast.cu
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public nint Input, Straight, Transposed, Scale, Largest;
        public long StraightStride, TransposedStride;
        public int Rows, Columns;
    }
}
