using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>The rows of <see cref="RmsNorm"/> on a card in 16 bits, by the kernels of <c>RmsNorm.cu</c> for one width: one pass each way.</summary>
internal sealed class CudaRmsNorm
{
    /// <summary>The widest row: a block has one in its registers, and in the backward its share of dw.</summary>
    public const long MostWidth = 8192;

    private const string File = "Ops/RmsNorm.cu";
    private const int SumThreads = 256, SumColumns = 32;
    private static readonly ConcurrentDictionary<(int Device, ScalarType Dtype, long Width, bool Silu), Lazy<CudaRmsNorm?>> Loaded = new();
    private readonly CudaModule _module;
    private readonly CudaStream _stream;
    private readonly int _width, _threads, _sharedBytes, _multiprocessors;

    private CudaRmsNorm(int device, CudaModule module, int width, int threads)
    {
        (_stream, _module, _width, _threads) = (CudaStream.Torch(device), module, width, threads);
        _sharedBytes = 2 * sizeof(float) * (threads / 32);
        _multiprocessors = CudaDevice.All()[device].Multiprocessors;
    }

    /// <summary>Whether there are kernels for rows of a width.</summary>
    public static bool Fits(long width) => width <= MostWidth && width % CudaUnits.Numbers == 0;

    /// <summary>The kernels for some rows; null where there are none.</summary>
    /// <param name="x_ND">The rows.</param>
    /// <param name="silu">Whether u is silu(x).</param>
    public static CudaRmsNorm? Of(Tensor x_ND, bool silu) => CudaUnits.Fits(x_ND) && x_ND.shape[1] is var width && Fits(width)
        ? Loaded.GetOrAdd((x_ND.device_index, x_ND.dtype, width, silu), k => new Lazy<CudaRmsNorm?>(() => Load(k.Device, k.Dtype, (int)k.Width, k.Silu))).Value
        : null;

    /// <summary>Normalises rows.</summary>
    /// <param name="x_ND">The rows.</param>
    /// <param name="weight_D">w.</param>
    /// <param name="epsilon">ε.</param>
    /// <returns>y, and r of each row in fp32, <c>[N, 1]</c>.</returns>
    public (Tensor Output, Tensor Inverse) Forward(Tensor x_ND, Tensor weight_D, double epsilon)
    {
        using var scope = NewDisposeScope();
        var (x, weight) = (CudaUnits.Dense(x_ND), CudaUnits.Dense(weight_D.to(ScalarType.Float32)));
        var y_ND = empty(x.shape, x.dtype, x.device);
        var inverse_N1 = empty([x.shape[0], 1], ScalarType.Float32, x.device);
        Launch("rms_norm", Blocks(x.shape[0], 1024), new Arguments
        {
            Input = CudaUnits.Address(x),
            Weight = CudaUnits.Address(weight),
            Inverse = CudaUnits.Address(inverse_N1),
            Output = CudaUnits.Address(y_ND),
            Rows = x.shape[0],
            Epsilon = (float)epsilon,
        });
        return (y_ND.MoveToOuterDisposeScope(), inverse_N1.MoveToOuterDisposeScope());
    }

    /// <summary>The backward.</summary>
    /// <param name="x_ND">The rows.</param>
    /// <param name="weight_D">w, in fp32.</param>
    /// <param name="inverse_N1">r of each row, as <see cref="Forward"/> gave it.</param>
    /// <param name="dy_ND">The gradient of y.</param>
    /// <param name="dw_D">The gradient of w, to which these rows' share is added; in fp32; null where it is not wanted.</param>
    /// <param name="dx_ND">Receives dx; dense.</param>
    /// <param name="past_ND">What is added to dx; may be dx; null for nothing.</param>
    public void Backward(Tensor x_ND, Tensor weight_D, Tensor inverse_N1, Tensor dy_ND, Tensor? dw_D, Tensor dx_ND, Tensor? past_ND)
    {
        using var scope = NewDisposeScope();
        var (x, weight, dy) = (CudaUnits.Dense(x_ND), CudaUnits.Dense(weight_D), CudaUnits.Dense(dy_ND));
        var past = CudaUnits.Dense(past_ND);
        int blocks = Blocks(x.shape[0], 512);
        var shares = empty([blocks, _width], ScalarType.Float32, x.device);
        var arguments = new Arguments
        {
            Input = CudaUnits.Address(x),
            Weight = CudaUnits.Address(weight),
            Inverse = CudaUnits.Address(inverse_N1),
            OutputGradient = CudaUnits.Address(dy),
            InputGradient = CudaUnits.Address(dx_ND),
            Past = CudaUnits.Address(past),
            Shares = CudaUnits.Address(shares),
            WeightGradient = CudaUnits.Address(dw_D),
            Rows = x.shape[0],
            Blocks = blocks,
        };
        Launch("rms_norm_backward", blocks, arguments);
        if (dw_D is not null)
        {
            _module.Kernel("rms_norm_weight").Launch(_stream, (_width + SumColumns - 1) / SumColumns, SumThreads, SumThreads * sizeof(float), arguments);
        }
    }

    private static CudaRmsNorm? Load(int device, ScalarType dtype, int width, bool silu)
    {
        // Two units a thread, in whole warps.
        int threads = ((width / CudaUnits.Numbers) + 63) / 64 * 32;
        return CudaUnits.Load(device, File, $"WIDTH={width}", $"THREADS={threads}", $"SILU={(silu ? 1 : 0)}", CudaUnits.Definition(dtype)) is { } module
            ? new CudaRmsNorm(device, module, width, threads)
            : null;
    }

    // As many as run at once, when each multiprocessor runs so many threads.
    private int Blocks(long rows, int threads) => (int)Math.Min(rows, (long)_multiprocessors * Math.Max(1, threads / _threads));

    private void Launch(string kernel, int blocks, in Arguments arguments) => _module.Kernel(kernel).Launch(_stream, blocks, _threads, _sharedBytes, arguments);

    // RmsNorm.cu
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public nint Input, Weight, Inverse, Output, OutputGradient, InputGradient, Past, Shares, WeightGradient;
        public long Rows;
        public int Blocks;
        public float Epsilon;
    }
}
