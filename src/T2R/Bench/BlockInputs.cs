using T2R.Mixers;
using T2R.Models;
using T2R.Training;
using T2R.Training.Memory;
using static TorchSharp.torch;

namespace T2R.Bench;

/// <summary>A block with typical weights, its input and the gradient of its output: the same numbers, those of bf16, in every type.</summary>
internal sealed class BlockInputs : IDisposable
{
    private readonly CausalLM _model;
    private readonly Tensor _input_BTD, _gradient_BTD;
    private readonly SequenceContext _context;

    public BlockInputs(BlockShape shape, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        _model = new CausalLM(shape.Config, TypicalWeights.Draw(shape.Config, device, dtype));
        using var generator = new Generator(2, CPU);
        Tensor Normal() => empty([shape.Batch, shape.Length, shape.Hidden], ScalarType.Float32).normal_(0, 1, generator).to(ScalarType.BFloat16).to(dtype).to(device).DetachFromDisposeScope();
        (_input_BTD, _gradient_BTD) = (Normal(), Normal());
        _context = new SequenceContext(shape.Batch, shape.Length, device) { Workspace = BlockMemory.WorkspaceOf(new TrainingOptions { Steps = 1 }) };
    }

    private IEnumerable<(string Name, Tensor Tensor)> Weights => _model.Weights.All.Where(w => WeightLayout.IsOfBlock(0, w.Spec.Name)).Select(w => (w.Spec.Name, w.Tensor));

    /// <summary>The block alone.</summary>
    public void Forward()
    {
        using var scope = NewDisposeScope();
        using var off = no_grad();
        _model.Blocks[0].Forward(_input_BTD, _context);
    }

    /// <summary>The block and its backward as in training, with nothing computed again.</summary>
    /// <returns>Output and gradients by name, in the caller's scope.</returns>
    public Dictionary<string, Tensor> Both()
    {
        using var scope = NewDisposeScope();
        foreach (var (_, weight) in Weights)
        {
            weight.requires_grad = true;
        }

        using var pass = new BlockPass(_model.Blocks[0], _input_BTD.alias(), needsInputGradient: true, _context, tape: null);
        var results = new Dictionary<string, Tensor> { ["output"] = pass.Output() };
        using var below_BTD = pass.MixerBackward(pass.MlpBackward(_gradient_BTD.alias()))!;
        results.Add("input", below_BTD.alias());
        foreach (var (name, weight) in Weights)
        {
            results.Add(name["blocks.0.".Length..^".weight".Length], weight.grad!);
            weight.grad = null;
            weight.requires_grad = false;
        }

        foreach (var tensor in results.Values)
        {
            tensor.MoveToOuterDisposeScope();
        }

        return results;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _context.Dispose();
        _model.Dispose();
        _input_BTD.Dispose();
        _gradient_BTD.Dispose();
    }
}
