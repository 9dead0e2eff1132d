using T2R.Mixers;
using T2R.Models;
using T2R.Ops;
using T2R.Ops.Decode;
using static TorchSharp.torch;

namespace T2R.Generation.Decoding;

/// <summary>
/// A token of several sequences through a recurrent model on a card, from ids to logits, by the kernels of <c>Ops/Decode</c>: five launches a block. All memory is taken
/// at the beginning; nothing is allocated in a step, and nothing waits for the card.
/// </summary>
internal sealed class CudaStep : IDisposable
{
    private readonly List<Tensor> _memory = [];
    private readonly int _mostSequences; // of a launch
    private readonly DecodeArguments.EmbedArguments _embed;
    private readonly Layer[] _layers;
    private readonly DecodeKernels _wideKernels; // of what is not quantised
    private readonly DecodeArguments.ProjectArguments _head;

    /// <summary>Takes the memory and compiles the kernels.</summary>
    /// <param name="model">In bf16 or fp16 on a card, one that <see cref="Unfit"/> has nothing against; borrowed.</param>
    /// <param name="slots">Sequences whose states are held.</param>
    public CudaStep(CausalLM model, int slots)
    {
        try
        {
            var config = model.Config;
            var mixers = config.Mixers.Cast<GatedSlotAttentionConfig>().ToList();
            _wideKernels = WideKernelsOf(model);
            _mostSequences = mixers.Select(m => KernelsOf(model, m)).Append(_wideKernels).Min(k => k.MostSequences);
            int most = Math.Min(slots, _mostSequences), hidden = config.HiddenSize;
            var x = Take([most, hidden], ScalarType.Float32);
            var dtype = model.HeadWeight.dtype;
            var normed = Take([most, hidden], dtype);
            var squares = Take([most, hidden / 16], ScalarType.Float32);
            var products = Take([most, mixers.Max(m => m.QuerySize + (2 * m.KeyValueSize) + m.SlotSize)], ScalarType.Float32);
            var mixed = Take([most, mixers.Max(m => m.QuerySize)], dtype);
            var mixedSquares = Take([most, mixers.Max(m => m.Heads)], ScalarType.Float32);
            var gated = Take([most, config.IntermediateSize], dtype);
            Logits = Take([slots, config.VocabularySize], ScalarType.Float32);
            var ofStream = new DecodeArguments.Squares { Parts = CudaUnits.Address(squares), Count = hidden / 16, Size = hidden, Epsilon = (float)config.NormEpsilon };

            // Before each block, and the last.
            var embedding = model.Weights[WeightLayout.Embedding];
            (Tensor Weight, float Scale)[] norms =
            [
                Scaled(NormBefore(0), NormScale.OfFirst(NormBefore(0), embedding)), .. Enumerable.Range(1, config.Layers).Select(i => OfStream(NormBefore(i))),
            ];
            _embed = new DecodeArguments.EmbedArguments { Embedding = CudaUnits.Address(embedding), Rows = hidden, Stream = StreamTo(norms[0]) };
            _layers = [.. mixers.Select(LayerOf)];
            _head = Products(normed, hidden, [Weight(model.HeadWeight)]) with { Squares = After(norms[^1]), Outputs = CudaUnits.Address(Logits) };

            Tensor Take(long[] shape, ScalarType dtype)
            {
                var taken = empty(shape, dtype, model.Device).DetachFromDisposeScope();
                _memory.Add(taken);
                return taken;
            }

            Tensor NormBefore(int layer) => model.Weights[layer < config.Layers ? WeightLayout.OfBlock(layer, "mixer_norm") : WeightLayout.Norm];

            (Tensor Weight, float Scale) OfStream(Tensor norm) => Scaled(norm, NormScale.Of(norm));

            (Tensor Weight, float Scale) Scaled(Tensor norm, float scale) => (Take(norm.shape, norm.dtype).copy_(norm).mul_(scale), scale);

            DecodeArguments.Squares After((Tensor Weight, float Scale) norm) => ofStream with { Scale = 1 / norm.Scale };

            Layer LayerOf(GatedSlotAttentionConfig mixer, int i)
            {
                var (outputNorm, mlpNorm) = (Scaled(OfBlock("mixer.g_norm"), NormScale.OfMixed), OfStream(OfBlock("mlp_norm")));
                var keys = Take([slots, mixer.KeyValueHeads, mixer.HeadDim, mixer.Slots], ScalarType.Float32).zero_();
                var values = Take([slots, mixer.KeyValueHeads, mixer.Slots, mixer.HeadDim], ScalarType.Float32).zero_();
                var step = new DecodeArguments.SlotStepArguments
                {
                    Products = CudaUnits.Address(products),
                    Keys = CudaUnits.Address(keys),
                    Values = CudaUnits.Address(values),
                    Norm = CudaUnits.Address(outputNorm.Weight),
                    Normed = CudaUnits.Address(mixed),
                    Squares = CudaUnits.Address(mixedSquares),
                    Heads = mixer.KeyValueHeads,
                    Rate = (float)(1 / mixer.GateLogitNormalizer),
                };
                var ofMixed = new DecodeArguments.Squares
                {
                    Parts = CudaUnits.Address(mixedSquares),
                    Count = mixer.Heads,
                    Size = mixer.QuerySize,
                    Epsilon = (float)GatedSlotAttentionConfig.OutputNormEpsilon,
                    Scale = 1 / outputNorm.Scale,
                };
                return new Layer(
                    KernelsOf(model, mixer),
                    keys,
                    values,
                    Stack(normed, hidden, "mixer.q_proj", "mixer.k_proj", "mixer.v_proj", "mixer.f_proj") with { Squares = After(norms[i]), Outputs = CudaUnits.Address(products) },
                    step,
                    Stack(mixed, mixer.QuerySize, "mixer.o_proj") with { Squares = ofMixed, Stream = StreamTo(mlpNorm) },
                    Stack(normed, hidden, "mlp.gate_proj", "mlp.up_proj") with { Squares = After(mlpNorm), Gated = CudaUnits.Address(gated) },
                    Stack(gated, config.IntermediateSize, "mlp.down_proj") with { Stream = StreamTo(norms[i + 1]) });

                Tensor OfBlock(string name) => model.Weights[WeightLayout.OfBlock(i, name)];

                DecodeArguments.ProjectArguments Stack(Tensor inputs, int depth, params ReadOnlySpan<string> names)
                {
                    var weights = new DecodeWeight[names.Length];
                    for (int n = 0; n < names.Length; n++)
                    {
                        string name = WeightLayout.OfBlock(i, names[n]);
                        weights[n] = model.Weights.Quantized(name) is { } quantized
                            ? new DecodeWeight(CudaUnits.Address(quantized.Codes), CudaUnits.Address(quantized.Scales), checked((int)quantized.Rows))
                            : Weight(model.Weights[name]);
                    }

                    return Products(inputs, depth, weights);
                }
            }

            DecodeArguments.Stream StreamTo((Tensor Weight, float Scale) norm) =>
                new() { Numbers = CudaUnits.Address(x), Norm = CudaUnits.Address(norm.Weight), Normed = CudaUnits.Address(normed), Squares = CudaUnits.Address(squares) };
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>fp32 <c>[slots, V]</c>: row r is of the r-th sequence of the latest <see cref="Run"/>.</summary>
    public Tensor Logits { get; }

    /// <summary>Each layer's states, fp32 keys <c>[slots, Hkv, K, M]</c> and values <c>[slots, Hkv, M, V]</c>.</summary>
    public IReadOnlyList<(Tensor Keys, Tensor Values)> States => [.. _layers.Select(l => (l.Keys, l.Values))];

    /// <summary>Why there are no kernels for a model; null when there are.</summary>
    /// <param name="model">On any device.</param>
    public static string? Unfit(CausalLM model)
    {
        var config = model.Config;
        return config.Lora is not null ? "it has adapters"
            : !CudaUnits.Fits(model.HeadWeight) ? "its weights are not bf16 or fp16 on a card"
            : CudaUnits.Lack(model.HeadWeight.device_index)
            ?? UnfitShape(config)
            ?? config.Mixers.Cast<GatedSlotAttentionConfig>().Select(m => KernelsOf(model, m)).Append(WideKernelsOf(model)).Select(k => k.Lack).FirstOrDefault(s => s is not null);
    }

    /// <summary>Why there are no kernels for a shape, on any card; null when there are.</summary>
    /// <param name="config">The shape.</param>
    public static string? UnfitShape(ModelConfig config) =>
        !config.IsRecurrent ? "some of its layers are not recurrent"
        : Shapes(config).Select(s => DecodeKernels.UnfitProduct(s.Rows, s.Depth)).FirstOrDefault(s => s is not null)
            ?? config.Mixers.Cast<GatedSlotAttentionConfig>().Select(m => DecodeKernels.Unfit(m.HeadDim, m.Slots, m.Heads / m.KeyValueHeads)).FirstOrDefault(s => s is not null);

    /// <summary>Reads a token of each of several sequences.</summary>
    /// <param name="slots">Where their states are; none twice.</param>
    /// <param name="ids">Their tokens.</param>
    public void Run(ReadOnlySpan<int> slots, ReadOnlySpan<int> ids)
    {
        for (int first = 0; first < slots.Length; first += _mostSequences)
        {
            int count = Math.Min(_mostSequences, slots.Length - first);
            RunSome(slots.Slice(first, count), ids.Slice(first, count), first);
        }
    }

    /// <inheritdoc />
    public void Dispose() => _memory.ForEach(t => t.Dispose());

    // Of all products but the head's, which may have any number of rows.
    private static IEnumerable<(int Rows, int Depth)> Shapes(ModelConfig config)
    {
        foreach (var spec in WeightLayout.Of(config))
        {
            if (!spec.IsNorm && spec.Name is not (WeightLayout.Embedding or WeightLayout.Head))
            {
                yield return ((int)spec.Shape[0], (int)spec.Shape[1]);
            }
        }
    }

    private static DecodeArguments.ProjectArguments Products(Tensor inputs, int depth, ReadOnlySpan<DecodeWeight> weights)
    {
        var stack = DecodeArguments.Stack.Of(weights);
        return new DecodeArguments.ProjectArguments { Stack = stack, Inputs = CudaUnits.Address(inputs), Depth = depth, Rows = stack.Rows };
    }

    private static DecodeKernels KernelsOf(CausalLM model, GatedSlotAttentionConfig mixer) =>
        DecodeKernels.Of(model.HeadWeight.device_index, model.HeadWeight.dtype, mixer.HeadDim, mixer.Slots, mixer.Heads / mixer.KeyValueHeads, model.Config.Quantization?.Bits ?? 16);

    // Of embedding and head. They read no state: the first layer's heads stand for all.
    private static DecodeKernels WideKernelsOf(CausalLM model)
    {
        var mixer = (GatedSlotAttentionConfig)model.Config.Mixers[0];
        return DecodeKernels.Of(model.HeadWeight.device_index, model.HeadWeight.dtype, mixer.HeadDim, mixer.Slots, mixer.Heads / mixer.KeyValueHeads, bits: 16);
    }

    private static DecodeWeight Weight(Tensor weight) => new(CudaUnits.Address(weight), 0, checked((int)weight.shape[0]));

    private void RunSome(ReadOnlySpan<int> slots, ReadOnlySpan<int> ids, int firstRow)
    {
        int batch = slots.Length;
        var onSlots = DecodeArguments.PerSequence.Of(slots);
        _wideKernels.Embed(batch, _embed with { Ids = DecodeArguments.PerSequence.Of(ids) });
        foreach (var layer in _layers)
        {
            layer.Kernels.Project(layer.Inputs with { Batch = batch });
            layer.Kernels.SlotStep(batch, layer.Step with { Slots = onSlots });
            layer.Kernels.ProjectAdded(layer.Output with { Batch = batch });
            layer.Kernels.ProjectGated(layer.Gated with { Batch = batch });
            layer.Kernels.ProjectAdded(layer.Down with { Batch = batch });
        }

        _wideKernels.Project(_head with { Batch = batch, Outputs = _head.Outputs + ((nint)firstRow * _head.Rows * sizeof(float)) });
    }

    // What each kernel of a block is given, but for the sequences.
    private sealed record Layer(
        DecodeKernels Kernels,
        Tensor Keys,
        Tensor Values,
        DecodeArguments.ProjectArguments Inputs,
        DecodeArguments.SlotStepArguments Step,
        DecodeArguments.ProjectArguments Output,
        DecodeArguments.ProjectArguments Gated,
        DecodeArguments.ProjectArguments Down);
}
