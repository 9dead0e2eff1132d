using T2R.Interop;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>
/// The chunk form on a card in bf16, or forward alone in fp16, by the kernels of <c>GatedSlot.cu</c>, joined to autograd; of the operator alone, or with the maps before it. The forward keeps the
/// state before each chunk of 64 tokens in its inputs' type; the backward computes everything else again.
/// </summary>
internal sealed class CudaChunk : SafeFunction<CudaChunk>
{
    /// <summary>Whether the kernels can take a call.</summary>
    /// <param name="q">[B, T, H, K].</param>
    /// <param name="k">[B, T, Hkv, K].</param>
    /// <param name="v">[B, T, Hkv, V].</param>
    /// <param name="gate">Logits with the maps, like q; otherwise the log forget gate, fp32; [B, T, Hkv, M].</param>
    /// <param name="maps">Whether q, k, v and gate are what comes before the maps.</param>
    internal static bool Takes(Tensor q, Tensor k, Tensor v, Tensor gate, bool maps) =>
        Array.TrueForAll([q, k, v], x => CudaUnits.Fits(x) && x.dtype == q.dtype)
        && (q.dtype == ScalarType.BFloat16 || !torch.is_grad_enabled())
        && gate.dtype == (maps ? q.dtype : ScalarType.Float32)
        && CudaKernels.Of(q.device_index, q.dtype, q.shape[3], v.shape[3], gate.shape[3], maps).Lack is null;

    /// <summary>Runs it; differentiable in all tensors but documentStarts.</summary>
    /// <param name="q">Queries [B, T, H, K], any strides over B and T.</param>
    /// <param name="k">Keys [B, T, Hkv, K].</param>
    /// <param name="v">Values [B, T, Hkv, V].</param>
    /// <param name="write">s [B, T, Hkv, M], fp32; null with the maps.</param>
    /// <param name="gate">As <see cref="Takes"/> says.</param>
    /// <param name="normalizer">τ of the maps; null without.</param>
    /// <param name="initial">State before the first token; null means zeros.</param>
    /// <param name="documentStarts">bool [B, T]; null means nowhere.</param>
    /// <param name="tape">Keeps or gives what the forward made; null for neither.</param>
    internal static (Tensor Output, GatedSlotState Final) Apply(
        Tensor q, Tensor k, Tensor v, Tensor? write, Tensor gate, double? normalizer, GatedSlotState? initial, Tensor? documentStarts, Tape? tape = null)
    {
        using var kept = tape is { IsRecording: false } ? Results.Take(tape) : null;
        if (kept is not null || (torch.is_grad_enabled() && Array.Exists([q, k, v, write, gate, initial?.Keys, initial?.Values], x => x is { requires_grad: true })))
        {
            tape?.RefuseGraph();
            var outputs = Call(q, k, v, write, gate, initial?.Keys, initial?.Values, documentStarts, normalizer, kept);
            return (outputs[0], new GatedSlotState(outputs[1], outputs[2]));
        }

        var results = Forward(new Inputs(q, k, v, write, gate, documentStarts, normalizer), initial?.Keys, initial?.Values);
        if (tape is { IsRecording: true })
        {
            results.Keep(tape);
        }

        return (results.Output, new GatedSlotState(results.Keys, results.Values));
    }

    /// <inheritdoc/>
    protected override List<Tensor> ComputeOutputs(torch.autograd.AutogradContext context, object?[] inputs)
    {
        Tensor? Input(int i) => (Tensor?)inputs[i];
        var x = new Inputs(Input(0)!, Input(1)!, Input(2)!, Input(3), Input(4)!, Input(7), (double?)inputs[8]);
        var results = (Results?)inputs[9] ?? Forward(x, Input(5), Input(6));
        context.save_for_backward([x.Queries, x.Keys, x.Values, x.Write, x.Gate, x.DocumentStarts, results.States, results.Decays]);
        context.save_data(nameof(Inputs.Normalizer), x.Normalizer);
        context.save_data(nameof(GatedSlotState), Input(5) is not null);
        return [results.Output, results.Keys, results.Values];
    }

    /// <inheritdoc/>
    protected override List<Tensor?> ComputeGradients(torch.autograd.AutogradContext context, List<Tensor?> gradients)
    {
        List<Tensor?> saved = context.get_saved_variables()!;
        var x = new Inputs(saved[0]!, saved[1]!, saved[2]!, saved[3], saved[4]!, saved[5], (double?)context.get_data(nameof(Inputs.Normalizer)));
        var (states, decays) = (saved[6]!, saved[7]!);
        Tensor Of(Tensor like) => torch.empty(like.shape, like.dtype, like.device);
        var output = CudaUnits.Dense(gradients[0]) ?? torch.zeros([.. x.Queries.shape[..3], x.Values.shape[3]], ScalarType.BFloat16, x.Queries.device);
        var (lastKeys, lastValues) = (gradients[1], gradients[2]);
        if (lastKeys is not null || lastValues is not null)
        {
            lastKeys = CudaUnits.Dense(lastKeys) ?? torch.zeros(x.KeysState, ScalarType.Float32, x.Queries.device);
            lastValues = CudaUnits.Dense(lastValues) ?? torch.zeros(x.ValuesState, ScalarType.Float32, x.Queries.device);
        }

        var (dq, dk, dv, dGate) = (Of(x.Queries), Of(x.Keys), Of(x.Values), Of(x.Gate));
        var dWrite = x.Write is null ? null : Of(x.Write);
        var (dFirstKeys, dFirstValues) = (torch.empty(x.KeysState, ScalarType.Float32, dq.device), torch.empty(x.ValuesState, ScalarType.Float32, dq.device));
        long[] factors = [.. x.Queries.shape[..3], x.Gate.shape[3]];
        using var probabilities = torch.empty(factors, ScalarType.BFloat16, dq.device);
        using var logits = torch.empty(factors, ScalarType.BFloat16, dq.device);
        using var rows = torch.empty(x.Gate.shape, ScalarType.Float32, dq.device);
        using var stateGradients = torch.empty_like(states);
        var arguments = x.Arguments(states, decays) with
        {
            OutputGradient = CudaUnits.Address(output),
            LastKeysGradient = CudaUnits.Address(lastKeys),
            LastValuesGradient = CudaUnits.Address(lastValues),
            Probabilities = CudaUnits.Address(probabilities),
            LogitGradient = CudaUnits.Address(logits),
            Rows = CudaUnits.Address(rows),
            StateGradients = CudaUnits.Address(stateGradients),
            QueriesGradient = CudaUnits.Address(dq),
            KeysGradient = CudaUnits.Address(dk),
            ValuesGradient = CudaUnits.Address(dv),
            GateGradient = CudaUnits.Address(dGate),
            WriteGradient = CudaUnits.Address(dWrite),
            FirstKeysGradient = CudaUnits.Address(dFirstKeys),
            FirstValuesGradient = CudaUnits.Address(dFirstValues),
            QueryGradientStride = dq.stride(1),
            KeyGradientStride = dk.stride(1),
            ValueGradientStride = dv.stride(1),
            GateGradientStride = dGate.stride(1),
        };
        x.Kernels.Backward(arguments);
        bool hasFirst = (bool)context.get_data(nameof(GatedSlotState))!;
        return [dq, dk, dv, dWrite, dGate, hasFirst ? dFirstKeys : null, hasFirst ? dFirstValues : null, null, null, null];
    }

    /// <summary>
    /// What the kernels can read, [B, T, H, D]: a token's heads side by side and 16 bytes aligned, sequences one after the other. A slice of a wider projection is that as well; of
    /// anything else a copy. (<c>contiguous()</c> makes none where one axis of length 1 has a stride of its own, nor where all begins at an odd address.)
    /// </summary>
    internal static Tensor ByToken(Tensor x)
    {
        long[] strides = x.stride();
        bool isDense = strides[3] == 1 && strides[2] == x.shape[3] && (x.shape[0] == 1 || strides[0] == strides[1] * x.shape[1]);
        bool isAligned = strides[1] * x.element_size() % 16 == 0 && CudaUnits.Address(x) % 16 == 0;
        return isDense && isAligned ? x : Copy(x);
    }

    private static Tensor Copy(Tensor x) => torch.empty(x.shape, x.dtype, x.device).copy_(x);

    private static Results Forward(Inputs x, Tensor? firstKeys, Tensor? firstValues)
    {
        using var scope = torch.NewDisposeScope();
        using var off = torch.no_grad();
        var (batch, length, heads, device) = (x.Queries.shape[0], x.Queries.shape[1], x.Keys.shape[2], x.Queries.device);
        long chunks = CudaKernels.Chunks(length);
        var results = new Results(
            torch.empty([batch, length, x.Queries.shape[2], x.Values.shape[3]], x.Values.dtype, device),
            torch.empty(x.KeysState, ScalarType.Float32, device),
            torch.empty(x.ValuesState, ScalarType.Float32, device),
            torch.empty([batch * heads, chunks, x.Kernels.StateLength], x.Values.dtype, device),
            torch.empty([batch * heads, chunks, x.Gate.shape[3]], ScalarType.Float32, device));
        firstKeys = CudaUnits.Dense(firstKeys);
        firstValues = CudaUnits.Dense(firstValues);
        var arguments = x.Arguments(results.States, results.Decays) with
        {
            FirstKeys = CudaUnits.Address(firstKeys),
            FirstValues = CudaUnits.Address(firstValues),
            LastKeys = CudaUnits.Address(results.Keys),
            LastValues = CudaUnits.Address(results.Values),
            Output = CudaUnits.Address(results.Output),
        };
        x.Kernels.Forward(arguments);
        return results.MoveOut();
    }

    /// <summary>A call's inputs, with strides that the kernels can read.</summary>
    private sealed class Inputs
    {
        internal Inputs(Tensor q, Tensor k, Tensor v, Tensor? write, Tensor gate, Tensor? documentStarts, double? normalizer)
        {
            (Queries, Keys, Values, Write, Gate, DocumentStarts, Normalizer) =
                (ByToken(q), ByToken(k), ByToken(v), write is null ? null : ByToken(write), ByToken(gate), documentStarts?.contiguous(), normalizer);
            if (Write is not null && Write.stride(1) != Gate.stride(1))
            {
                (Write, Gate) = (Copy(Write), Copy(Gate));
            }
        }

        internal Tensor Queries { get; }

        internal Tensor Keys { get; }

        internal Tensor Values { get; }

        internal Tensor? Write { get; }

        internal Tensor Gate { get; }

        internal Tensor? DocumentStarts { get; }

        internal double? Normalizer { get; }

        internal long[] KeysState => [Keys.shape[0], Keys.shape[2], Keys.shape[3], Gate.shape[3]];

        internal long[] ValuesState => [Keys.shape[0], Keys.shape[2], Gate.shape[3], Values.shape[3]];

        internal CudaKernels Kernels => CudaKernels.Of(Keys.device_index, Keys.dtype, Keys.shape[3], Values.shape[3], Gate.shape[3], Normalizer is not null);

        internal CudaArguments Arguments(Tensor states, Tensor decays) => new()
        {
            Queries = CudaUnits.Address(Queries),
            Keys = CudaUnits.Address(Keys),
            Values = CudaUnits.Address(Values),
            Gate = CudaUnits.Address(Gate),
            Write = CudaUnits.Address(Write),
            DocumentStarts = CudaUnits.Address(DocumentStarts),
            States = CudaUnits.Address(states),
            Decays = CudaUnits.Address(decays),
            QueryStride = Queries.stride(1),
            KeyStride = Keys.stride(1),
            ValueStride = Values.stride(1),
            GateStride = Gate.stride(1),
            Batch = checked((int)Keys.shape[0]),
            Length = checked((int)Keys.shape[1]),
            Heads = checked((int)Keys.shape[2]),
            Groups = checked((int)(Queries.shape[2] / Keys.shape[2])),
            Rate = (float)(1 / (Normalizer ?? 1)),
        };
    }

    /// <summary>Output [B, T, H, V]; the state after the last token; and for the backward the states before each chunk with their decays.</summary>
    private sealed record Results(Tensor Output, Tensor Keys, Tensor Values, Tensor States, Tensor Decays) : IDisposable
    {
        private Tensor[] All => [Output, Keys, Values, States, Decays];

        public void Dispose() => Array.ForEach(All, t => t.Dispose());

        internal static Results? Take(Tape tape) => tape.Take() is { } output ? new Results(output, tape.Take()!, tape.Take()!, tape.Take()!, tape.Take()!) : null;

        internal void Keep(Tape tape)
        {
            Array.ForEach(All, tape.Keep);
        }

        internal Results MoveOut()
        {
            Array.ForEach(All, t => t.MoveToOuterDisposeScope());
            return this;
        }
    }
}
