using T2R.Interop;
using T2R.Interop.Cuda;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>What kernels that move units of eight bf16 numbers, 16 bytes, need of tensors and of the card.</summary>
internal static class CudaUnits
{
    /// <summary>Numbers of a unit.</summary>
    public const int Numbers = 8;

    /// <summary>Whether such a kernel can read a tensor, were there one.</summary>
    public static bool Fits(Tensor x) => x.device_type == DeviceType.CUDA && x.dtype == ScalarType.BFloat16;

    /// <summary>A file's kernels for the card; null where it has no arithmetic in bf16, or there is no compiler.</summary>
    /// <param name="file">As <see cref="CudaModule.Of"/> takes it.</param>
    /// <param name="definitions">Likewise.</param>
    /// <exception cref="InvalidOperationException">It does not compile; holds the compiler's words.</exception>
    public static CudaModule? Load(string file, params string[] definitions)
    {
        if (CudaDevice.All()[0].ComputeCapability.Major < 8)
        {
            return null;
        }

        try
        {
            return CudaModule.Of(file, definitions);
        }
        catch (DllNotFoundException)
        {
            return null;
        }
    }

    /// <summary>The same numbers one after the other, from an address that is a multiple of 16 bytes on; a copy only where they do not lie so.</summary>
    public static Tensor Dense(Tensor x) => !x.is_contiguous() ? x.contiguous() : Address(x) % 16 == 0 ? x : x.clone();

    /// <summary>Where a tensor's numbers begin.</summary>
    public static nint Address(Tensor x) => TensorMemory.DataPointer(x);
}
