using System.Diagnostics.CodeAnalysis;
using T2R.Interop;
using T2R.Interop.Cuda;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>What kernels that move units of eight 16-bit numbers, bf16 or fp16, need of tensors and of the card.</summary>
internal static class CudaUnits
{
    /// <summary>Numbers of a unit.</summary>
    public const int Numbers = 8;

    private static readonly PerCard<string?> WhyNone = new(FindLack);

    /// <summary>Why there are no kernels on a card, which is there; null when there are.</summary>
    /// <param name="device">The card's index.</param>
    public static string? Lack(int device) => WhyNone[device];

    /// <summary>Whether a tensor lies where kernels run.</summary>
    public static bool IsOnCard(Tensor x) => x.device_type == DeviceType.CUDA;

    /// <summary>Whether such a kernel can read a tensor, were there one.</summary>
    public static bool Fits(Tensor x) => IsOnCard(x) && Fits(x.dtype);

    /// <summary>Whether such kernels can read numbers of a type.</summary>
    public static bool Fits(ScalarType dtype) => dtype is ScalarType.BFloat16 or ScalarType.Float16;

    /// <summary>Whether one of bf16 alone can.</summary>
    public static bool FitsInBFloat16(Tensor x) => IsOnCard(x) && x.dtype == ScalarType.BFloat16;

    /// <summary>What a file that includes <c>Warp.cuh</c> is compiled for, to read numbers of a type.</summary>
    /// <param name="dtype">One that <see cref="Fits(ScalarType)"/>.</param>
    public static string Definition(ScalarType dtype) => dtype == ScalarType.Float16 ? "HALF=1" : "HALF=0";

    /// <summary>A file's kernels for a card; null where there are none, as <see cref="Lack"/> says.</summary>
    /// <param name="device">The card's index.</param>
    /// <param name="file">As <see cref="CudaModule.Of"/> takes it.</param>
    /// <param name="definitions">Likewise.</param>
    /// <exception cref="InvalidOperationException">It does not compile; holds the compiler's words.</exception>
    public static CudaModule? Load(int device, string file, params string[] definitions) => Lack(device) is null ? CudaModule.Of(device, file, definitions) : null;

    /// <summary>The same numbers one after the other, from an address that is a multiple of 16 bytes on; a copy only where they do not lie so. Null for null.</summary>
    [return: NotNullIfNotNull(nameof(x))]
    public static Tensor? Dense(Tensor? x) => x is null ? null : !x.is_contiguous() ? x.contiguous() : Address(x) % 16 == 0 ? x : x.clone();

    /// <summary>Where a tensor's numbers begin; 0 for null.</summary>
    public static nint Address(Tensor? x) => x is null ? 0 : TensorMemory.DataPointer(x);

    private static string? FindLack(int device)
    {
        var card = CudaDevice.All()[device];
        if (card.ComputeCapability.Major < 8)
        {
            return $"{card.Name} has compute capability {card.ComputeCapability}, and they need 8.0";
        }

        try
        {
            _ = Nvrtc.Version;
            return null;
        }
        catch (DllNotFoundException e)
        {
            return e.Message;
        }
    }
}
