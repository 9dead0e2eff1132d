using T2R.Interop;
using T2R.Interop.Cuda;
using T2R.Models;
using T2R.Ops.Fp8;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>
/// What a checkpoint holds: where the run stands, the weights that some stage of it trains, and what optimizer and FP8 scales remember. Weights that no stage trains are those
/// of the model the run began with, and are not in it.
/// </summary>
internal sealed class CheckpointParts : IDisposable
{
    private readonly bool _isCopy;

    private CheckpointParts(TrainingState state, IReadOnlyList<(string, Tensor)> weights, IReadOnlyList<(string, Tensor)> moments, bool isCopy)
    {
        (State, Weights, Moments, _isCopy) = (state, weights, moments, isCopy);
    }

    /// <summary>Where the run stands.</summary>
    public TrainingState State { get; }

    /// <summary>The weights, by T2R's names.</summary>
    public IReadOnlyList<(string Name, Tensor Tensor)> Weights { get; }

    /// <summary>What optimizer and scales remember.</summary>
    public IReadOnlyList<(string Name, Tensor Tensor)> Moments { get; }

    /// <summary>Bytes of all tensors.</summary>
    public long ByteCount => All.Sum(t => t.Tensor.numel() * t.Tensor.element_size());

    private IEnumerable<(string Name, Tensor Tensor)> All => Weights.Concat(Moments);

    /// <summary>The tensors themselves, which training changes; a card has done all its work on them, also on those that lie in host memory.</summary>
    public static CheckpointParts Of(TrainingState state, WeightSet weights, IOptimizer optimizer, Fp8Scales? scales)
    {
        if (weights.All.Select(w => w.Tensor).FirstOrDefault(IsOnCard) is { } onCard)
        {
            cuda.synchronize(onCard.device);
        }

        List<(string, Tensor)> moments = [.. optimizer.State];
        if (scales is not null)
        {
            moments.Add((Fp8Scales.Name, scales.Running_C));
        }

        return new CheckpointParts(
            state, [.. weights.All.Where(w => WeightChoice.IsEverTrained(state.Options, w.Spec.Name)).Select(w => (w.Spec.Name, w.Tensor))], moments, isCopy: false);
    }

    /// <summary>A copy in host memory, which training does not change.</summary>
    public CheckpointParts Copy()
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var fromCard = new List<(nint, nint, long)>();
        int card = 0;
        List<(string, Tensor)> weights = [.. Weights.Select(Copied)], moments = [.. Moments.Select(Copied)];
        BulkCopy.ToHost(card, fromCard);
        weights.Concat(moments).ToList().ForEach(t => t.Item2.DetachFromDisposeScope());
        return new CheckpointParts(State, weights, moments, isCopy: true);

        (string, Tensor) Copied((string Name, Tensor Tensor) part)
        {
            var source = part.Tensor.detach();
            if (!IsOnCard(source))
            {
                return (part.Name, source.clone());
            }

            var whole = source.contiguous();
            var copy = empty(whole.shape, whole.dtype, CPU);
            card = whole.device_index;
            fromCard.Add((TensorMemory.DataPointer(whole), TensorMemory.DataPointer(copy), whole.numel() * whole.element_size()));
            return (part.Name, copy);
        }
    }

    /// <summary>Frees a copy.</summary>
    public void Dispose()
    {
        foreach (var (_, tensor) in _isCopy ? All : [])
        {
            tensor.Dispose();
        }
    }

    private static bool IsOnCard(Tensor tensor) => tensor.device_type == TorchSharp.DeviceType.CUDA;
}
