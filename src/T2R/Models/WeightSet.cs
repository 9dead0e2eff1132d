using T2R.Interop;
using T2R.Interop.Cuda;
using T2R.Ops;
using T2R.Ops.Quantized;
using static TorchSharp.torch;

namespace T2R.Models;

/// <summary>
/// A model's weights by name, in <see cref="WeightLayout"/>'s order. It owns its tensors; modules, optimizer and checkpoints borrow them. They are outside any
/// dispose scope.
/// </summary>
public sealed class WeightSet : IDisposable
{
    private readonly Dictionary<string, Tensor> _tensors = [];
    private readonly Dictionary<string, QuantizedWeight> _quantized = [];

    /// <summary>Gathers the weights of a model.</summary>
    /// <param name="config">Its shape.</param>
    /// <param name="read">Yields each weight's tensor, which the set takes over.</param>
    /// <exception cref="ArgumentException">A tensor's shape is not the layout's.</exception>
    public WeightSet(ModelConfig config, Func<WeightSpec, Tensor> read)
        : this(config with { Quantization = null }, read, spec => throw new ArgumentException($"{spec.Name} is plain", nameof(config)))
    {
    }

    /// <summary>Gathers the weights of a model whose blocks' matrices may be in few bits.</summary>
    /// <param name="config">Its shape, and what they are in.</param>
    /// <param name="read">Yields each plain weight's tensor, which the set takes over.</param>
    /// <param name="readQuantized">Yields each of the others, which the set takes over.</param>
    /// <exception cref="ArgumentException">A shape is not the layout's.</exception>
    public WeightSet(ModelConfig config, Func<WeightSpec, Tensor> read, Func<WeightSpec, QuantizedWeight> readQuantized)
    {
        Specs = WeightLayout.Of(config);
        try
        {
            foreach (var spec in Specs)
            {
                if (config.Quantization is not null && spec.IsProjection)
                {
                    var weight = readQuantized(spec);
                    _quantized.Add(spec.Name, weight);
                    Check(spec, [weight.Rows, weight.Columns]);
                }
                else
                {
                    var tensor = read(spec);
                    _tensors.Add(spec.Name, tensor.DetachFromDisposeScope());
                    Check(spec, tensor.shape);
                }
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What each weight is, in order.</summary>
    public IReadOnlyList<WeightSpec> Specs { get; }

    /// <summary>How many numbers the model holds.</summary>
    public long ParameterCount => Specs.Sum(s => s.Count);

    /// <summary>Bytes of all weights.</summary>
    public long ByteCount => _tensors.Values.Sum(t => t.numel() * t.element_size()) + _quantized.Values.Sum(w => w.ByteCount);

    /// <summary>A plain weight by name.</summary>
    /// <param name="name">T2R's name.</param>
    public Tensor this[string name] => _tensors[name];

    /// <summary>A weight in few bits by name; null for a plain one.</summary>
    /// <param name="name">T2R's name.</param>
    public QuantizedWeight? Quantized(string name) => _quantized.GetValueOrDefault(name);

    /// <summary>A matrix as blocks apply it, with its adapter if it has one.</summary>
    /// <param name="config">The shape the set was made for.</param>
    /// <param name="name">T2R's name of the matrix.</param>
    public Projection Projection(ModelConfig config, string name)
    {
        if (Quantized(name) is { } quantized)
        {
            return new Projection(quantized, this[WeightLayout.Embedding].dtype);
        }

        var spec = Specs.First(s => s.Name == name);
        if (config.Lora is not { } lora || !lora.Adapts(spec))
        {
            return new Projection(this[name]);
        }

        var (a, b) = lora.Of(spec);
        return new Projection(this[name], (this[a.Name], this[b.Name], lora.Scale));
    }

    /// <summary>Every plain weight with what it is, in order.</summary>
    public IEnumerable<(WeightSpec Spec, Tensor Tensor)> All => Specs.Where(s => _tensors.ContainsKey(s.Name)).Select(s => (s, _tensors[s.Name]));

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
        foreach (IDisposable weight in _tensors.Values.Concat<IDisposable>(_quantized.Values))
        {
            weight.Dispose();
        }
    }

    private static void Check(WeightSpec spec, ReadOnlySpan<long> shape)
    {
        if (!shape.SequenceEqual(spec.Shape.AsSpan()))
        {
            throw new ArgumentException($"{spec.Name} has shape [{string.Join(", ", shape.ToArray())}], expected [{string.Join(", ", spec.Shape)}]");
        }
    }
}
