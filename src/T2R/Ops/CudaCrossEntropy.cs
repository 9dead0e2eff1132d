using System.Runtime.InteropServices;
using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary><see cref="CrossEntropy"/> on a card in bf16, by the kernels of <c>CrossEntropy.cu</c>: the gradient is written over the logits.</summary>
internal static class CudaCrossEntropy
{
    private const int Threads = 512;
    private static readonly PerCard<CudaModule?> Modules = new(device => CudaUnits.Load(device, "Ops/CrossEntropy.cu"));

    /// <summary>Whether the kernels can take what is like a tensor, such as what the logits are made of.</summary>
    public static bool Takes(Tensor x) => CudaUnits.FitsInBFloat16(x) && Modules[x.device_index] is not null;

    /// <summary>Losses of rows and the gradient of their logits.</summary>
    /// <param name="scales">What they are weighted with.</param>
    /// <param name="logits_nV">z; overwritten by its gradient.</param>
    /// <param name="teacher_nV">t; null for none.</param>
    /// <param name="next_n">The ids that were to be predicted.</param>
    /// <returns>Cross-entropy and divergence of each row, in fp32.</returns>
    public static (Tensor CrossEntropy, Tensor? Divergence) Run(CrossEntropy scales, Tensor logits_nV, Tensor? teacher_nV, Tensor next_n)
    {
        using var scope = NewDisposeScope();
        long rows = logits_nV.shape[0], vocabulary = logits_nV.shape[1];
        var teacher = CudaUnits.Dense(teacher_nV);
        var next = next_n.contiguous();
        var cross_n = empty(rows, ScalarType.Float32, logits_nV.device);
        var divergence_n = teacher is null ? null : empty_like(cross_n);
        var arguments = new Arguments
        {
            Logits = CudaUnits.Address(logits_nV),
            Teacher = CudaUnits.Address(teacher),
            Labels = CudaUnits.Address(next),
            CrossEntropy = CudaUnits.Address(cross_n),
            Divergence = CudaUnits.Address(divergence_n),
            Vocabulary = vocabulary,
            Scale = (float)scales.Scale,
            TeacherScale = (float)scales.TeacherScale,
            Temperature = (float)scales.Temperature,
        };
        string kernel = $"cross_entropy{(teacher is null ? "" : "_taught")}{(vocabulary % CudaUnits.Numbers == 0 && arguments.Logits % 16 == 0 ? "" : "_single")}";
        int device = logits_nV.device_index;
        Modules[device]!.Kernel(kernel).Launch(CudaStream.Torch(device), checked((int)rows), Threads, Threads / 32 * 2 * sizeof(float), arguments);
        return (cross_n.MoveToOuterDisposeScope(), divergence_n?.MoveToOuterDisposeScope());
    }

    // CrossEntropy.cu
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public nint Logits, Teacher, Labels, CrossEntropy, Divergence;
        public long Vocabulary;
        public float Scale, TeacherScale, Temperature;
    }
}
