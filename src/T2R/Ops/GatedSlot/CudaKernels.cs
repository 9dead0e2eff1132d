using System.Collections.Concurrent;
using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>The kernels of <c>GatedSlot.cu</c> for one shape and type of numbers, compiled for one card.</summary>
internal sealed class CudaKernels
{
    private const string File = "Ops/GatedSlot/GatedSlot.cu";
    private const int Threads = 256, Tokens = 64;
    private static readonly ConcurrentDictionary<(int Device, ScalarType Dtype, long KeyDim, long ValueDim, long Slots, bool Maps), Lazy<CudaKernels>> Loaded = new();
    private readonly int _device;
    private readonly CudaModule? _module;
    private readonly int[] _sharedBytes = [];

    private CudaKernels(int device, ScalarType dtype, long keyDim, long valueDim, long slots, bool maps)
    {
        _device = device;
        StateLength = slots * (keyDim + valueDim);
        Lack = Unfit(keyDim, valueDim, slots) ?? CudaUnits.Lack(device);
        if (Lack is not null)
        {
            return;
        }

        int most = CudaDevice.All()[device].SharedMemory;
        _module = CudaModule.Of(device, File, $"KEYS={keyDim}", $"VALUES={valueDim}", $"SLOTS={slots}", $"MAPS={(maps ? 1 : 0)}", $"MOST_SHARED={most}", CudaUnits.Definition(dtype));
        _sharedBytes = _module.Constants("gsa_shared");
        Lack = _sharedBytes.Max() > most ? $"heads of {keyDim} and {valueDim} with {slots} slots need {_sharedBytes.Max()} bytes of shared memory a block, where the card has {most}" : null;
    }

    /// <summary>Why there are no kernels for this shape; null when there are.</summary>
    public string? Lack { get; }

    /// <summary>Numbers of a chunk's state, M · (K + V).</summary>
    public long StateLength { get; }

    /// <summary>The kernels of a shape, or why there are none.</summary>
    /// <param name="device">The card's index.</param>
    /// <param name="dtype">Of inputs, output and kept states: bf16; or fp16, which have no backward.</param>
    /// <param name="keyDim">K.</param>
    /// <param name="valueDim">V.</param>
    /// <param name="slots">M.</param>
    /// <param name="maps">Whether they do the maps before the operator as well.</param>
    public static CudaKernels Of(int device, ScalarType dtype, long keyDim, long valueDim, long slots, bool maps) => Loaded.GetOrAdd(
        (device, dtype, keyDim, valueDim, slots, maps), s => new Lazy<CudaKernels>(() => new CudaKernels(s.Device, s.Dtype, s.KeyDim, s.ValueDim, s.Slots, s.Maps))).Value;

    /// <summary>Why no card has kernels for a shape; null when most have.</summary>
    /// <param name="keyDim">K.</param>
    /// <param name="valueDim">V.</param>
    /// <param name="slots">M.</param>
    public static string? Unfit(long keyDim, long valueDim, long slots) =>
        keyDim % 32 != 0 || valueDim % 32 != 0 || Math.Max(keyDim, valueDim) > 256 ? $"heads of {keyDim} and {valueDim} are not multiples of 32 up to 256"
        : slots is not (16 or 32 or 64 or 128) ? $"{slots} slots are not 16, 32, 64 or 128"
        : null;

    /// <summary>Chunks of a length.</summary>
    public static long Chunks(long length) => (length + Tokens - 1) / Tokens;

    /// <summary>The output, the states before each chunk, and the state after the last token.</summary>
    public void Forward(in CudaArguments arguments)
    {
        Launch("gsa_write", Blocks(arguments), _sharedBytes[0], arguments);
        Launch("gsa_scan", ScanBlocks(arguments), 0, arguments);
        Launch("gsa_output", Blocks(arguments), _sharedBytes[1], arguments);
    }

    /// <summary>All gradients, from what the forward left.</summary>
    public void Backward(in CudaArguments arguments)
    {
        Launch("gsa_rows_backward", Blocks(arguments), _sharedBytes[1], arguments);
        Launch("gsa_ask", Blocks(arguments), _sharedBytes[2], arguments);
        Launch("gsa_scan_backward", ScanBlocks(arguments), 0, arguments);
        Launch("gsa_columns_backward", Blocks(arguments), _sharedBytes[3], arguments);
    }

    private static int Blocks(in CudaArguments arguments) => checked(arguments.Batch * arguments.Heads * (int)Chunks(arguments.Length));

    private int ScanBlocks(in CudaArguments arguments) => checked(arguments.Batch * arguments.Heads * (int)(StateLength / (2 * Threads)));

    private void Launch(string kernel, int blocks, int sharedBytes, in CudaArguments arguments) =>
        _module!.Kernel(kernel).Launch(CudaStream.Torch(_device), blocks, Threads, sharedBytes, arguments);
}
