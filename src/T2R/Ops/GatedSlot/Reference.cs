using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>The recurrence, one token after another, with autograd's own gradients: what every other form is compared with.</summary>
internal static class Reference
{
    internal static (Tensor Output, GatedSlotState Final) Apply(
        Tensor q_BTHK, Tensor k_BTNK, Tensor v_BTNV, Tensor s_BTNM, Tensor g_BTNM, GatedSlotState initial, Tensor? documentStarts)
    {
        var dtype = initial.Keys.dtype;
        var q = q_BTHK.to(dtype).unflatten(2, k_BTNK.shape[2], -1).unbind(1);
        var k = k_BTNK.to(dtype).unbind(1);
        var v = v_BTNV.to(dtype).unbind(1);
        var s = s_BTNM.to(dtype).unbind(1);
        var g = g_BTNM.to(dtype).unbind(1);
        var starts = documentStarts?.unsqueeze(-1).unsqueeze(-1).unbind(1);
        var (keys_BNKM, values_BNMV) = (initial.Keys, initial.Values);
        var outputs = new List<Tensor>();
        for (int t = 0; t < q.Length; t++)
        {
            var (q_BNGK, k_BNK, v_BNV, s_BNM) = (q[t], k[t], v[t], s[t]);
            var decay_BNM = g[t].exp();
            if (starts is not null)
            {
                decay_BNM = decay_BNM.masked_fill(starts[t], 0);
            }

            keys_BNKM = (keys_BNKM * decay_BNM.unsqueeze(-2)) + (k_BNK.unsqueeze(-1) * s_BNM.unsqueeze(-2));
            var p_BNGM = q_BNGK.matmul(keys_BNKM).softmax(-1);
            values_BNMV = (values_BNMV * decay_BNM.unsqueeze(-1)) + (s_BNM.unsqueeze(-1) * v_BNV.unsqueeze(-2));
            outputs.Add(p_BNGM.matmul(values_BNMV).flatten(1, 2));
        }

        return (torch.stack(outputs, 1).to(v_BTNV.dtype), new GatedSlotState(keys_BNKM, values_BNMV));
    }
}
