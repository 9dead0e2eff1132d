using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>One token after another, for decoding: the types are converted once, and a step is ten tensor operations.</summary>
internal static class Recurrent
{
    internal static (Tensor Output, GatedSlotState Final) Apply(
        Tensor q_BTHK, Tensor k_BTNK, Tensor v_BTNV, Tensor s_BTNM, Tensor g_BTNM, GatedSlotState initial, Tensor? documentStarts)
    {
        var dtype = initial.Keys.dtype;
        var decay_BTNM = g_BTNM.to(dtype).exp();
        if (documentStarts is not null)
        {
            decay_BTNM = decay_BTNM.masked_fill(documentStarts[.., .., TensorIndex.None, TensorIndex.None], 0);
        }

        var q = q_BTHK.to(dtype).unflatten(2, k_BTNK.shape[2], -1).unbind(1);
        var k = k_BTNK.to(dtype).unsqueeze(-1).unbind(1);
        var v = v_BTNV.to(dtype).unsqueeze(-2).unbind(1);
        var s = s_BTNM.to(dtype).unsqueeze(-2).unbind(1);
        var decay = decay_BTNM.unsqueeze(-2).unbind(1);
        var outputs = new Tensor[q.Length];
        var (keys_BNKM, values_BNMV) = (initial.Keys, initial.Values);
        for (int t = 0; t < q.Length; t++)
        {
            keys_BNKM = (keys_BNKM * decay[t]).addcmul(k[t], s[t], 1);
            values_BNMV = (values_BNMV * decay[t].mT).addcmul(s[t].mT, v[t], 1);
            outputs[t] = q[t].matmul(keys_BNKM).softmax(-1).matmul(values_BNMV);
        }

        return (torch.stack(outputs, 1).flatten(2, 3).to(v_BTNV.dtype), new GatedSlotState(keys_BNKM, values_BNMV));
    }
}
