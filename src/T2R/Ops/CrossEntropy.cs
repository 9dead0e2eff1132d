using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>
/// The loss of next ids, a row of logits z each, with its gradient. With p = softmax(z), t a teacher's logits and τ the temperature
/// <code>
/// ∂ cross-entropy / ∂z = p − onehot(next id)       ∂ τ² KL(softmax(t/τ) ‖ softmax(z/τ)) / ∂z = τ (softmax(z/τ) − softmax(t/τ))
/// </code>
/// Computed in fp32 at least, and the gradient rounded to the logits' dtype once. On a card in bf16 one kernel, <c>CrossEntropy.cu</c>, takes no memory beside the logits'.
/// </summary>
/// <param name="Scale">What the cross-entropy's gradient is multiplied with.</param>
/// <param name="TeacherScale">Likewise the divergence's.</param>
/// <param name="Temperature">τ.</param>
internal sealed record CrossEntropy(double Scale, double TeacherScale, double Temperature)
{
    /// <summary>Losses and gradient.</summary>
    /// <param name="logits_nV">z; taken over.</param>
    /// <param name="teacher_nV">t; taken over. Null for none.</param>
    /// <param name="next_n">int64, the ids; one below 0 is no prediction, and its row has neither loss nor gradient.</param>
    /// <returns>∂z in z's dtype, the sum of the cross-entropies, and that of the divergences if there is a teacher; sums are in fp64.</returns>
    public (Tensor Gradient, Tensor CrossEntropy, Tensor? Divergence) Of(Tensor logits_nV, Tensor? teacher_nV, Tensor next_n)
    {
        if (!CudaCrossEntropy.Takes(logits_nV) || teacher_nV is not null && !CudaCrossEntropy.Takes(teacher_nV))
        {
            return ByTensors(logits_nV, teacher_nV, next_n);
        }

        var (cross_n, divergence_n) = CudaCrossEntropy.Run(this, logits_nV, teacher_nV, next_n);
        teacher_nV?.Dispose();
        return (logits_nV, cross_n.sum(ScalarType.Float64), divergence_n?.sum(ScalarType.Float64));
    }

    private (Tensor Gradient, Tensor CrossEntropy, Tensor? Divergence) ByTensors(Tensor logits_nV, Tensor? teacher_nV, Tensor next_n)
    {
        var dtype = logits_nV.dtype;
        var wide_nV = Wide(logits_nV);
        var predicts_n1 = next_n.ge(0).unsqueeze(1);
        var next_n1 = next_n.clamp_min(0).unsqueeze(1);

        // log p in one buffer, which then becomes p and then the gradient.
        var logp_nV = wide_nV.log_softmax(-1);
        var cross = logp_nV.gather(1, next_n1).mul(predicts_n1).sum(ScalarType.Float64).neg();
        Tensor? divergence = null, towardTeacher_nV = null;
        if (teacher_nV is not null)
        {
            (divergence, towardTeacher_nV) = Teacher(wide_nV, Wide(teacher_nV), predicts_n1);
        }

        wide_nV.Dispose();
        var gradient_nV = logp_nV.exp_();
        gradient_nV.scatter_add_(1, next_n1, full([next_n1.shape[0], 1], -1.0, gradient_nV.dtype, gradient_nV.device));
        gradient_nV.mul_(predicts_n1.to(gradient_nV.dtype).mul_(Scale));
        if (towardTeacher_nV is not null)
        {
            gradient_nV.add_(towardTeacher_nV, alpha: TeacherScale);
        }

        return (gradient_nV.to(dtype), cross, divergence);
    }

    // τ² KL, summed, and its gradient with respect to z.
    private (Tensor Divergence, Tensor Gradient) Teacher(Tensor logits_nV, Tensor teacher_nV, Tensor predicts_n1)
    {
        var logq_nV = LogSoftmax(teacher_nV.div_(Temperature));
        var logp_nV = LogSoftmax(logits_nV / Temperature);
        var q_nV = logq_nV.exp();
        var mask_n1 = predicts_n1.to(q_nV.dtype);
        var divergence = logq_nV.sub_(logp_nV).mul_(q_nV).sum(-1, keepdim: true).mul_(mask_n1).sum(ScalarType.Float64).mul_(Temperature * Temperature);
        return (divergence, logp_nV.exp_().sub_(q_nV).mul_(mask_n1.mul_(Temperature)));
    }

    // Of logits that nothing else reads.
    private static Tensor LogSoftmax(Tensor logits_nV)
    {
        using (logits_nV)
        {
            return logits_nV.log_softmax(-1);
        }
    }

    private static Tensor Wide(Tensor t)
    {
        if (t.dtype is ScalarType.Float64 or ScalarType.Float32)
        {
            return t;
        }

        using (t)
        {
            return t.to(ScalarType.Float32);
        }
    }
}
