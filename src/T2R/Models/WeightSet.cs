using T2R.Interop;
using T2R.Interop.Cuda;
using T2R.Ops;
using static TorchSharp.torch;

namespace T2R.Models;

/// <summary>
/// A model's weights by name, in <see cref="WeightLayout"/>'s order. It owns its tensors; modules, optimizer and checkpoints borrow them. They are outside any
/// dispose scope.
/// </summary>
public sealed class WeightSet : IDisposable
{
    private readonly Dictionary<string, Tensor> _tensors = [];

    /// <summary>Gathers the weights of a model.</summary>
    /// <param name="config">Its shape.</param>
    /// <param name="read">Yields each weight's tensor, which the set takes over.</param>
    /// <exception cref="ArgumentException">A tensor's shape is not the layout's.</exception>
    public WeightSet(ModelConfig config, Func<WeightSpec, Tensor> read)
    {
        Specs = WeightLayout.Of(config);
        foreach (var spec in Specs)
        {
            var tensor = read(spec);
            if (!tensor.shape.AsSpan().SequenceEqual(spec.Shape.AsSpan()))
            {
                throw new ArgumentException($"{spec.Name} has shape [{string.Join(", ", tensor.shape)}], expected [{string.Join(", ", spec.Shape)}]");
            }

            _tensors.Add(spec.Name, tensor.DetachFromDisposeScope());
        }
    }

    /// <summary>What each weight is, in order.</summary>
    public IReadOnlyList<WeightSpec> Specs { get; }

    /// <summary>How many numbers the model holds.</summary>
    public long ParameterCount => Specs.Sum(s => s.Count);

    /// <summary>Bytes of all weights.</summary>
    public long ByteCount => _tensors.Values.Sum(t => t.numel() * t.element_size());

    /// <summary>A weight by name.</summary>
    /// <param name="name">T2R's name.</param>
    public Tensor this[string name] => _tensors[name];

    /// <summary>A matrix as blocks apply it, with its adapter if it has one.</summary>
    /// <param name="config">The shape the set was made for.</param>
    /// <param name="name">T2R's name of the matrix.</param>
    public Projection Projection(ModelConfig config, string name)
    {
        var spec = Specs.First(s => s.Name == name);
        if (config.Lora is not { } lora || !lora.Adapts(spec))
        {
            return new Projection(this[name]);
        }

        var (a, b) = lora.Of(spec);
        return new Projection(this[name], (this[a.Name], this[b.Name], lora.Scale));
    }

    /// <summary>Every weight with what it is, in order.</summary>
    public IEnumerable<(WeightSpec Spec, Tensor Tensor)> All => Specs.Select(s => (s, _tensors[s.Name]));

    /// <summary>
    /// Weights of an untrained model: norms 1; matrices normal with standard deviation 0.02, those that write into the residual stream (o_proj, down_proj) smaller by
    /// √(2 L), as in GPT-2. A number follows from the seed, the weight's name and its place in it alone, and is drawn in fp32 on the CPU, so a seed means the same
    /// everywhere.
    /// </summary>
    /// <param name="config">The shape.</param>
    /// <param name="seed">Of the numbers.</param>
    /// <param name="device">Where the weights live.</param>
    /// <param name="dtype">Of the matrices; norms are fp32.</param>
    public static WeightSet Random(ModelConfig config, long seed, Device device, ScalarType dtype = ScalarType.Float32)
    {
        if (device.type == TorchSharp.DeviceType.CPU)
        {
            return new WeightSet(config, spec => new RandomWeight(config, spec, seed).Draw(TypeOf(spec)));
        }

        var weights = new WeightSet(config, spec => empty([.. spec.Shape], TypeOf(spec), device));
        RandomWeight[] drawn = [.. weights.Specs.Select(spec => new RandomWeight(config, spec, seed))];
        try
        {
            BulkCopy.ToDevice(
                CudaDevice.IndexOf(device),
                [.. weights.All.Select(w => (TensorMemory.DataPointer(w.Tensor), w.Spec.Count * DtypeName.Bytes(w.Tensor.dtype)))],
                (i, offset, piece) => drawn[i].Fill(offset / DtypeName.Bytes(TypeOf(weights.Specs[i])), TypeOf(weights.Specs[i]), piece));
            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }

        ScalarType TypeOf(WeightSpec spec) => spec.IsNorm ? ScalarType.Float32 : dtype;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var tensor in _tensors.Values)
        {
            tensor.Dispose();
        }
    }
}
