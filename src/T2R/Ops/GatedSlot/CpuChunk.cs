using T2R.Interop;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>The chunk form on the CPU in fp32: <see cref="CpuForward"/> and <see cref="CpuBackward"/>, joined to autograd.</summary>
internal sealed class CpuChunk : SafeFunction<CpuChunk>
{
    internal static (Tensor Output, GatedSlotState Final) Apply(
        Tensor q, Tensor k, Tensor v, Tensor s, Tensor g, GatedSlotState initial, Tensor? documentStarts)
    {
        if (!torch.is_grad_enabled() || !Array.Exists([q, k, v, s, g, initial.Keys, initial.Values], x => x.requires_grad))
        {
            var results = Forward(Contiguous(q, k, v, s, g, documentStarts), initial.Keys.contiguous(), initial.Values.contiguous(), keep: false);
            return (results.Output, results.Final);
        }

        var outputs = Call(q, k, v, s, g, initial.Keys, initial.Values, documentStarts);
        return (outputs[0], new GatedSlotState(outputs[1], outputs[2]));
    }

    /// <summary>Whether the kernel can take a call; gates are fp32 when these are.</summary>
    internal static bool Takes(Tensor q, Tensor k, Tensor v) =>
        Array.TrueForAll([q, k, v], x => x.device_type == DeviceType.CPU && x.dtype == ScalarType.Float32);

    /// <inheritdoc/>
    protected override List<Tensor> ComputeOutputs(torch.autograd.AutogradContext context, object?[] inputs)
    {
        Tensor Input(int i) => (Tensor)inputs[i]!;
        var x = Contiguous(Input(0), Input(1), Input(2), Input(3), Input(4), (Tensor?)inputs[7]);
        var results = Forward(x, Input(5).contiguous(), Input(6).contiguous(), keep: true);
        context.save_for_backward([x.Queries, x.Keys, x.Values, x.Write, x.LogForget, x.DocumentStarts, results.Probabilities, results.States]);
        return [results.Output, results.Final.Keys, results.Final.Values];
    }

    /// <inheritdoc/>
    protected override List<Tensor?> ComputeGradients(torch.autograd.AutogradContext context, List<Tensor?> gradients)
    {
        List<Tensor?> saved = context.get_saved_variables()!;
        var (q, k, v, s, g) = (saved[0]!, saved[1]!, saved[2]!, saved[3]!, saved[4]!);
        var z = CpuSizes.Of(q, k, v, s);
        var results = new CpuResults(null!, null!, saved[6], saved[7]);
        var final = new GatedSlotState(
            gradients[1]?.contiguous() ?? torch.zeros([z.Batch, z.Heads, z.KeyDim, z.Slots]),
            gradients[2]?.contiguous() ?? torch.zeros([z.Batch, z.Heads, z.Slots, z.ValueDim]));
        var output = gradients[0]?.contiguous() ?? torch.zeros([z.Batch, z.Length, z.Heads * z.Groups, z.ValueDim]);
        var d = new CpuGradients(
            torch.empty_like(q), torch.empty_like(k), torch.empty_like(v), torch.empty_like(s), torch.empty_like(g),
            new GatedSlotState(torch.empty_like(final.Keys), torch.empty_like(final.Values)));
        var kernel = new CpuBackward(new CpuInputs(z, q, k, v, s, g, saved[5]), results, output, final, d);
        TorchThreads.ForEach(z.Items, kernel.Run);
        return [d.Queries, d.Keys, d.Values, d.Write, d.LogForget, d.Initial.Keys, d.Initial.Values, null];
    }

    private static CpuInputs Contiguous(Tensor q, Tensor k, Tensor v, Tensor s, Tensor g, Tensor? documentStarts) => new(
        CpuSizes.Of(q, k, v, s), q.contiguous(), k.contiguous(), v.contiguous(), s.contiguous(), g.contiguous(), documentStarts?.contiguous());

    private static CpuResults Forward(CpuInputs x, Tensor keys, Tensor values, bool keep)
    {
        var z = x.Sizes;
        long heads = z.Heads * z.Groups;
        var results = new CpuResults(
            torch.empty([z.Batch, z.Length, heads, z.ValueDim]),
            new GatedSlotState(torch.empty_like(keys), torch.empty_like(values)),
            keep ? torch.empty([z.Batch, z.Length, heads, z.Slots]) : null,
            keep ? torch.empty([z.Items, z.Blocks + 1, z.StateLength]) : null);
        TorchThreads.ForEach(z.Items, new CpuForward(x, new GatedSlotState(keys, values), results).Run);
        return results;
    }
}
