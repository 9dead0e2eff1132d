using T2R.Interop.Cuda;
using T2R.Models;
using T2R.Training;
using T2R.Training.Memory;
using static TorchSharp.torch;

namespace T2R.Bench;

/// <summary>A training whose steps are to be timed.</summary>
/// <param name="Config">The shape that is trained.</param>
/// <param name="Teacher">The shape of the teacher it follows; null without one.</param>
/// <param name="Options">The training, checked against the shape.</param>
/// <param name="Dtype">Of the matrices.</param>
/// <param name="Device">Where it runs.</param>
public sealed record TrainingSetup(ModelConfig Config, ModelConfig? Teacher, TrainingOptions Options, ScalarType Dtype, Device Device)
{
    /// <summary>The stage that is timed: the longest.</summary>
    public StagePlan Stage => StagePlan.Of(Options).MaxBy(s => s.Steps)!;

    /// <summary>What it will hold.</summary>
    public MemoryPlan Memory { get; } = MemoryPlan.Of(Config with { Lora = Options.Lora }, Options, Dtype, Teacher, Device.type == TorchSharp.DeviceType.CUDA ? CardMemory.Now(CudaDevice.IndexOf(Device)) : null);

    /// <summary>The shape with adapters, if there are any.</summary>
    public ModelConfig Adapted => Config with { Lora = Options.Lora };

    /// <summary>Operations a token: <see cref="TrainingWork.OperationsPerToken"/>.</summary>
    public double OperationsPerToken => TrainingWork.OperationsPerToken(Adapted, Teacher, Options, Stage.Stage, Memory.RecordedBlocks);
}
