using T2R.Models;
using T2R.Ops;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>
/// The final norm, the head and the loss over next tokens (<see cref="CrossEntropy"/>), with their gradients, a chunk of tokens at a time: the logits of a whole batch
/// never exist.
/// </summary>
internal sealed class NextTokenLoss
{
    // Large enough for full-speed matrix products, small enough for a processor's cache: 4 MiB of logits on a CPU. On a card 256 MiB at most without a teacher: two fp32
    // numbers for each of the logits taken at once, or those in bf16 alone where there is a kernel.
    internal const long CpuLogits = 1L << 20, DeviceLogits = 1L << 25, KernelLogits = 1L << 27;
    private const long NoPrediction = -100;
    private readonly CausalLM _model;
    private readonly CausalLM? _teacher;
    private readonly DistillationOptions _distillation;
    private readonly GradientFlow _flow;
    private readonly TrainedWeight? _norm;
    private readonly string? _headName;

    /// <summary>Plans the loss.</summary>
    /// <param name="model">The student.</param>
    /// <param name="trained">The trained weights.</param>
    /// <param name="flow">Receives the gradients of norm and head.</param>
    /// <param name="teacher">Whom to follow, of the same vocabulary; or null.</param>
    /// <param name="distillation">How; needed with a teacher.</param>
    public NextTokenLoss(CausalLM model, IReadOnlyList<TrainedWeight> trained, GradientFlow flow, CausalLM? teacher, DistillationOptions? distillation)
    {
        (_model, _flow, _teacher) = (model, flow, teacher);
        _distillation = distillation ?? new DistillationOptions { Weight = 0 };
        _norm = trained.FirstOrDefault(w => w.Name == WeightLayout.Norm);
        string head = model.Config.TieWordEmbeddings ? WeightLayout.Embedding : WeightLayout.Head;
        _headName = trained.Any(w => w.Name == head) ? head : null;
    }

    /// <summary>Loss and gradients of a micro-batch.</summary>
    /// <param name="x_BTD">The student's residual stream after the last block.</param>
    /// <param name="teacher_BTD">The teacher's; null without one.</param>
    /// <param name="ids_BT">The ids; position t predicts id t + 1.</param>
    /// <param name="scale">Times the mean loss.</param>
    /// <param name="loss">Receives the means.</param>
    /// <returns>The gradient of <paramref name="x_BTD"/>.</returns>
    public Tensor Backward(Tensor x_BTD, Tensor? teacher_BTD, Tensor ids_BT, double scale, StepLoss loss)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        long batch = ids_BT.shape[0], length = ids_BT.shape[1], predictions = batch * (length - 1);
        var x_ND = x_BTD.flatten(0, 1);
        var teacher_ND = teacher_BTD?.flatten(0, 1);
        var next_N = full_like(ids_BT, NoPrediction);
        next_N.narrow(1, 0, length - 1).copy_(ids_BT.narrow(1, 1, length - 1));
        next_N = next_N.flatten();

        var gradient_ND = empty_like(x_ND);
        Tensor? head_VD = null;
        var crossEntropy = zeros(1, ScalarType.Float64, x_BTD.device);
        var divergence = zeros(1, ScalarType.Float64, x_BTD.device);
        bool byKernel = CudaCrossEntropy.Takes(x_ND) && (teacher_ND is null || CudaCrossEntropy.Takes(teacher_ND));
        long mostLogits = byKernel ? KernelLogits : x_BTD.device_type == TorchSharp.DeviceType.CPU ? CpuLogits : DeviceLogits;
        foreach (var (start, count) in RowChunks.Of(x_ND.shape[0], _model.Config.VocabularySize, mostLogits))
        {
            using var chunkScope = NewDisposeScope();
            Tensor Rows(Tensor t) => t.narrow(0, start, count);
            var (ce, kl) = Chunk(Rows(x_ND), teacher_ND is null ? null : Rows(teacher_ND), Rows(next_N), scale / predictions, Rows(gradient_ND), ref head_VD);
            crossEntropy.add_(ce);
            divergence.add_(kl ?? 0);
            _flow.Sample();
        }

        HandOver(head_VD);
        loss.Add("cross_entropy", 1 - _distillation.Weight, crossEntropy / predictions);
        if (teacher_BTD is not null)
        {
            loss.Add("kl", _distillation.Weight, divergence / predictions);
        }

        return gradient_ND.view_as(x_BTD).MoveToOuterDisposeScope();
    }

    // Sums over the chunk's predictions; the gradients are written into gradient_nD and added to headGradient_VD.
    private (Tensor CrossEntropy, Tensor? Divergence) Chunk(Tensor x_nD, Tensor? teacher_nD, Tensor next_n, double scale, Tensor gradient_nD, ref Tensor? headGradient_VD)
    {
        var leaf_nD = x_nD.detach().requires_grad_(true);
        Tensor normed_nD;
        using (enable_grad())
        {
            normed_nD = _model.FinalNorm(leaf_nD);
        }

        var head_VD = _model.HeadWeight;
        var scales = new CrossEntropy(scale * (1 - _distillation.Weight), scale * _distillation.Weight, _distillation.Temperature);
        var (gradient_nV, crossEntropy, divergence) = scales.Of(
            nn.functional.linear(normed_nD.detach(), head_VD), teacher_nD is null ? null : nn.functional.linear(_teacher!.FinalNorm(teacher_nD), _teacher.HeadWeight), next_n);
        if (_headName is not null)
        {
            Linear.AccumulateWeightGradient(ref headGradient_VD, gradient_nV, normed_nD.detach());
        }

        var normedGradient_nD = gradient_nV.matmul(head_VD);
        gradient_nV.Dispose();
        Interop.Autograd.Backward([normed_nD], [normedGradient_nD]);
        gradient_nD.copy_(leaf_nD.grad!);
        return (crossEntropy, divergence);
    }

    // The gradients that the last micro-batch left; a tied head's weight waits for the embedding's share.
    private void HandOver(Tensor? head_VD)
    {
        _flow.Take(_norm is null ? [] : [_norm]);
        if (head_VD is not null && _model.Config.TieWordEmbeddings)
        {
            _flow.AddEarly(_headName!, head_VD);
        }
        else if (head_VD is not null)
        {
            _flow.Add(_headName!, head_VD);
        }

        _flow.Flush();
    }
}
