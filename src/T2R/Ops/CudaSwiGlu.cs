using System.Runtime.InteropServices;
using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>What stands between the products of <see cref="SwiGlu"/> on a card in 16 bits, by the kernels of <c>SwiGlu.cu</c>: one pass each way.</summary>
internal static class CudaSwiGlu
{
    private const int Threads = 256;
    private static readonly PerCard<CudaModule?> InBFloat16 = Of(ScalarType.BFloat16), InFloat16 = Of(ScalarType.Float16);

    /// <summary>Whether there are kernels for a and b of a width.</summary>
    public static bool Fits(long inner) => inner % CudaUnits.Numbers == 0;

    /// <summary>Whether the kernels can take a call.</summary>
    /// <param name="x">a, or what it is made of.</param>
    /// <param name="inner">Width of a and b, I.</param>
    public static bool Takes(Tensor x, long inner) => CudaUnits.Fits(x) && Fits(inner) && Module(x) is not null;

    /// <summary>h = silu(a) ⊙ b.</summary>
    /// <param name="gate">a, dense.</param>
    /// <param name="up">b, dense.</param>
    /// <param name="product">h, dense; may be a or b.</param>
    public static void Forward(Tensor gate, Tensor up, Tensor product) => Launch("swiglu", gate, new Arguments
    {
        Gate = CudaUnits.Address(gate),
        Up = CudaUnits.Address(up),
        Product = CudaUnits.Address(product),
    });

    /// <summary>da = dh ⊙ b ⊙ silu′(a), db = dh ⊙ silu(a), and h again.</summary>
    /// <param name="gate">a, dense.</param>
    /// <param name="up">b, dense.</param>
    /// <param name="gradient">dh, dense; if h is wanted, it lies here afterwards.</param>
    /// <param name="wantsProduct">Whether h is wanted.</param>
    /// <param name="gateGradient">da, dense; may be a.</param>
    /// <param name="upGradient">db, dense; may be b.</param>
    public static void Backward(Tensor gate, Tensor up, Tensor gradient, bool wantsProduct, Tensor gateGradient, Tensor upGradient) => Launch("swiglu_backward", gate, new Arguments
    {
        Gate = CudaUnits.Address(gate),
        Up = CudaUnits.Address(up),
        ProductGradient = CudaUnits.Address(gradient),
        Product = wantsProduct ? CudaUnits.Address(gradient) : 0,
        GateGradient = CudaUnits.Address(gateGradient),
        UpGradient = CudaUnits.Address(upGradient),
    });

    private static PerCard<CudaModule?> Of(ScalarType dtype) => new(device => CudaUnits.Load(device, "Ops/SwiGlu.cu", CudaUnits.Definition(dtype)));

    private static CudaModule? Module(Tensor x) => (x.dtype == ScalarType.Float16 ? InFloat16 : InBFloat16)[x.device_index];

    private static void Launch(string kernel, Tensor like, Arguments arguments)
    {
        arguments.Units = like.numel() / CudaUnits.Numbers;
        Module(like)!.Kernel(kernel).Launch(CudaStream.Torch(like.device_index), checked((int)((arguments.Units + Threads - 1) / Threads)), Threads, 0, arguments);
    }

    // SwiGlu.cu
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public nint Gate, Up, ProductGradient, Product, GateGradient, UpGradient;
        public long Units;
    }
}
