using T2R.Mixers;
using T2R.Models;
using T2R.Ops;
using T2R.Ops.Fp8;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>
/// A model's forward and backward one block at a time, so that only one block's graph need exist. Each block's input cuts the graph; the backward goes from the last
/// block to the first, handing the gradient of each input to the block before. What lies below the lowest trained weight is run forward only. One micro-batch at a
/// time.
/// </summary>
internal sealed class BlockwiseBackward : IDisposable
{
    private readonly CausalLM _model;
    private readonly RecomputePolicy _policy;
    private readonly int _recorded;
    private readonly GradientFlow _flow;
    private readonly Fp8Scales? _scales;
    private readonly IBlockInputs _inputs;
    private readonly TrainedWeight? _embedding;
    private readonly List<TrainedWeight>[] _weights;
    private readonly BlockPass?[] _passes;
    private readonly Tape?[] _tapes;
    private readonly int _lowest;

    /// <summary>Plans the backward.</summary>
    /// <param name="model">The model; its trained weights require gradients, no others do.</param>
    /// <param name="trained">The trained weights.</param>
    /// <param name="options">What to compute again, and where inputs wait.</param>
    /// <param name="recorded">How many blocks, from the last on, record what a selective recomputation then takes.</param>
    /// <param name="flow">Receives the gradients.</param>
    /// <param name="scales">Scales to multiply with weights in FP8 with; null for the weights' own type.</param>
    public BlockwiseBackward(CausalLM model, IReadOnlyList<TrainedWeight> trained, TrainingOptions options, int recorded, GradientFlow flow, Fp8Scales? scales)
    {
        (_model, _policy, _recorded, _flow, _scales) = (model, options.Recompute, recorded, flow, scales);
        int blocks = model.Blocks.Count;
        _embedding = trained.FirstOrDefault(w => w.Name == WeightLayout.Embedding);
        _weights = [.. Enumerable.Range(0, blocks).Select(i => trained.Where(w => WeightLayout.IsOfBlock(i, w.Name)).ToList())];
        (_passes, _tapes) = (new BlockPass?[blocks], new Tape?[blocks]);
        int first = Array.FindIndex(_weights, w => w.Count > 0);
        _lowest = _embedding is not null ? 0 : first < 0 ? blocks : first;
        bool offload = options.OffloadInputs && _policy != RecomputePolicy.None && model.Device.type == TorchSharp.DeviceType.CUDA;
        _inputs = offload ? new OffloadedInputs(blocks, model.Device) : new KeptInputs();
    }

    /// <summary>Whether any weight below the final norm is trained, so that <see cref="Backward"/> is needed at all.</summary>
    public bool IsNeeded => _embedding is not null || _lowest < _weights.Length;

    /// <summary>Ids <c>[B, T]</c> → the residual stream after the last block, <c>[B, T, D]</c>, cut off from the graph.</summary>
    public Tensor Forward(Tensor ids_BT, SequenceContext context)
    {
        using var _ = no_grad();
        var x_BTD = _model.Embed(ids_BT);
        for (int i = 0; i < _passes.Length; i++)
        {
            var y_BTD = ForwardBlock(i, x_BTD, context);
            if (i < _lowest)
            {
                x_BTD.Dispose();
            }

            x_BTD = y_BTD;
            _flow.Sample();
        }

        return x_BTD;
    }

    /// <summary>Backward through the blocks and the embedding of the last <see cref="Forward"/>.</summary>
    /// <param name="gradient_BTD">The gradient of what that returned; taken over.</param>
    /// <param name="ids_BT">The same ids.</param>
    /// <param name="context">The same context.</param>
    public void Backward(Tensor gradient_BTD, Tensor ids_BT, SequenceContext context)
    {
        gradient_BTD.DetachFromDisposeScope();
        if (_policy != RecomputePolicy.None && _lowest < _passes.Length)
        {
            _inputs.Expect(_passes.Length - 1);
        }

        for (int i = _passes.Length - 1; i >= _lowest; i--)
        {
            gradient_BTD = BackwardBlock(i, gradient_BTD, context)!;
        }

        if (_embedding is not null)
        {
            _flow.Expect([_embedding]);
            _flow.Add(_embedding.Name, Interop.Dispatcher.EmbeddingBackward(gradient_BTD, ids_BT, _model.Config.VocabularySize));
            gradient_BTD.Dispose();
            _flow.Flush();
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _inputs.Dispose();
        foreach (var pass in _passes)
        {
            pass?.Dispose();
        }

        foreach (var tape in _tapes)
        {
            tape?.Dispose();
        }
    }

    // The input is kept, or taken over by the pass, from the lowest trained block on.
    private Tensor ForwardBlock(int i, Tensor x_BTD, SequenceContext context)
    {
        var block = _model.Blocks[i];
        if (i < _lowest)
        {
            return block.Forward(x_BTD, context, fp8: _scales?[i]);
        }

        if (_policy == RecomputePolicy.None)
        {
            _passes[i] = new BlockPass(block, x_BTD, NeedsInputGradient(i), context, tape: null, _scales?[i]);
            return _passes[i]!.Output();
        }

        _tapes[i] = _policy == RecomputePolicy.Selective && i >= _passes.Length - _recorded ? Tape.Record() : null;
        var y_BTD = block.Forward(x_BTD, context, tape: _tapes[i], fp8: _scales?[i]);
        _inputs.Keep(i, x_BTD);
        return y_BTD;
    }

    private Tensor? BackwardBlock(int i, Tensor gradient_BTD, SequenceContext context)
    {
        using var scope = NewDisposeScope();
        _flow.Expect(_weights[i]);
        using var tape = _tapes[i] ?? Tape.Blank();
        tape.Rewind();
        using var pass = _passes[i] ?? new BlockPass(_model.Blocks[i], _inputs.Take(i), NeedsInputGradient(i), context, tape, _scales?[i]);
        (_passes[i], _tapes[i]) = (null, null);
        gradient_BTD = pass.MlpBackward(gradient_BTD);
        Pass(_weights[i]);
        if (_policy != RecomputePolicy.None && i > _lowest)
        {
            // In time for its block, and not while the MLP needs most memory.
            _inputs.Expect(i - 1);
        }

        var below_BTD = pass.MixerBackward(gradient_BTD);
        Pass(_weights[i]);
        return below_BTD;
    }

    private void Pass(List<TrainedWeight> weights)
    {
        _flow.Take(weights);
        _flow.Sample();
        _flow.Flush();
    }

    // The input of the lowest block needs no gradient unless the embedding does.
    private bool NeedsInputGradient(int block) => block > _lowest || (block == _lowest && _embedding is not null);
}
