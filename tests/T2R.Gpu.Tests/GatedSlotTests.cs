using System.Globalization;
using T2R.Interop;
using T2R.Ops.GatedSlot;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>
/// The kernels of gated slot attention against the recurrence in float64 on the CPU: outputs, states and gradients within 5e-3 in norm, those of the gates within 8e-3;
/// and the same bits each time.
/// </summary>
public class GatedSlotTests
{
    private const double Bar = 5e-3, GateBar = 8e-3, HalfBar = 8e-4;
    private const double Normalizer = 8;

    // B, T, Hkv, H / Hkv, K, V, M.
    public static TheoryData<int, int, int, int, int, int, int> Shapes => new()
    {
        { 1, 1, 1, 1, 32, 32, 16 },
        { 2, 63, 2, 2, 64, 64, 32 },
        { 1, 64, 2, 4, 128, 128, 64 },
        { 2, 65, 1, 5, 128, 128, 64 },
        { 1, 1000, 2, 4, 128, 128, 64 },
        { 1, 130, 2, 8, 64, 128, 128 },
        { 1, 130, 2, 3, 256, 96, 32 },
        { 2, 200, 1, 2, 96, 32, 16 },
        { 1, 150, 2, 4, 256, 256, 64 },
    };

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [MemberData(nameof(Shapes))]
    public void Every_shape_gives_the_reference(int batch, int length, int heads, int groups, int keyDim, int valueDim, int slots) =>
        Agree(new(batch, length, heads, groups, keyDim, valueDim, slots), gate: 1, hasStates: false, hasDocuments: false);

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [MemberData(nameof(Shapes))]
    public void With_states_and_documents_every_shape_gives_the_reference(int batch, int length, int heads, int groups, int keyDim, int valueDim, int slots) =>
        Agree(new(batch, length, heads, groups, keyDim, valueDim, slots), gate: 1, hasStates: true, hasDocuments: true);

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(5)]
    [InlineData(20)]
    [InlineData(100)]
    public void Hard_gates_give_the_reference(double gate) => Agree(new Shape(1, 300, 2, 4, 128, 128, 64), gate, hasStates: false, hasDocuments: true);

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(false)]
    [InlineData(true)]
    public void With_the_maps_before_it_and_in_slices_of_one_projection_it_gives_the_reference(bool hasDocuments)
    {
        using var scope = NewDisposeScope();
        var s = new Shape(2, 200, 2, 4, 64, 64, 32);
        manual_seed(5);
        long[] widths = [s.Heads * s.KeyDim, s.KeyValueHeads * s.KeyDim, s.KeyValueHeads * s.ValueDim, s.KeyValueHeads * s.Slots];
        var projected = randn([s.Batch, s.Length, widths.Sum()], ScalarType.BFloat16);
        var gradient = randn([s.Batch, s.Length, s.Heads, s.ValueDim], ScalarType.BFloat16);
        var starts = hasDocuments ? rand(s.Batch, s.Length).lt(0.03) : null;

        Tensor[] Run(Tensor x, Tensor d, Tensor? documents, GatedSlotForm form)
        {
            var leaf = x.detach().requires_grad_();
            var parts = leaf.split(widths, 2);
            Tensor Heads(int i, long heads) => parts[i].unflatten(2, heads, -1);
            var (o, _) = GatedSlotMaps.Apply(form, Heads(0, s.Heads), Heads(1, s.KeyValueHeads), Heads(2, s.KeyValueHeads), Heads(3, s.KeyValueHeads), Normalizer, documentStarts: documents);
            Autograd.Backward([o], [d]);
            return [o.detach(), .. leaf.grad!.split(widths, 2)];
        }

        var actual = Run(projected.cuda(), gradient.cuda(), starts?.cuda(), GatedSlotForm.Chunk);
        var expected = Run(projected.to(ScalarType.Float64), gradient.to(ScalarType.Float64), starts, GatedSlotForm.Reference);

        // silu's results are rounded to bf16 here, as a layer's are everywhere: one rounding more.
        foreach (var (name, a, b) in new[] { "o", "dq", "dk", "dv", "df" }.Zip(actual, expected))
        {
            Check(name, a, b, GateBar);
        }
    }

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(1, 1)]
    [InlineData(63, 5)]
    [InlineData(65, 20)]
    [InlineData(1000, 1)]
    public void In_fp16_it_is_nearer_to_the_reference(int length, double gate)
    {
        using var scope = NewDisposeScope();
        var s = new Shape(2, length, 2, 4, 128, 128, 64);
        var x = Inputs(s, gate, hasStates: true, hasDocuments: true);
        Tensor Half(Tensor t) => t.to(ScalarType.Float16);
        Tensor[] raw = [Half(x[0]!), Half(x[1]!), Half(x[2]!), Half(randn([s.Batch, s.Length, s.KeyValueHeads, s.Slots]) * gate)];
        Poison();
        using var mode = inference_mode();
        var first = new GatedSlotState(x[6]!, x[7]!);
        Compare("operator", On(CUDA, t => t, GatedSlotForm.Chunk), On(CPU, Wide, GatedSlotForm.Reference));
        Compare("maps", Maps(CUDA, t => t, GatedSlotForm.Chunk), Maps(CPU, Wide, GatedSlotForm.Reference));

        (Tensor, GatedSlotState) On(Device device, Func<Tensor, Tensor> cast, GatedSlotForm form)
        {
            Tensor There(Tensor t) => cast(t).to(device);
            return GatedSlotOperator.Apply(
                form, There(raw[0]), There(raw[1]), There(raw[2]), There(x[3]!), There(x[4]!), new(There(first.Keys), There(first.Values)), x[10]!.to(device));
        }

        (Tensor, GatedSlotState) Maps(Device device, Func<Tensor, Tensor> cast, GatedSlotForm form)
        {
            Tensor There(Tensor t) => cast(t).to(device);
            return GatedSlotMaps.Apply(
                form, There(raw[0]), There(raw[1]), There(raw[2]), There(raw[3]), Normalizer, new(There(first.Keys), There(first.Values)), x[10]!.to(device));
        }

        void Compare(string name, (Tensor Output, GatedSlotState Final) actual, (Tensor Output, GatedSlotState Final) expected)
        {
            Assert.Equal(ScalarType.Float16, actual.Output.dtype);
            Check($"{name}: o", actual.Output, expected.Output, HalfBar);
            Check($"{name}: keys", actual.Final.Keys, expected.Final.Keys, HalfBar);
            Check($"{name}: values", actual.Final.Values, expected.Final.Values, HalfBar);
        }
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void The_same_call_gives_the_same_bits()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(new Shape(2, 700, 2, 4, 128, 128, 64), 1, hasStates: true, hasDocuments: true).Select(x => x?.cuda()).ToArray();
        var first = Run(inputs, GatedSlotForm.Chunk);
        for (int i = 0; i < 10; i++)
        {
            using var inner = NewDisposeScope();
            var again = Run(inputs, GatedSlotForm.Chunk);
            Assert.All(first.Zip(again), pair => Assert.True(pair.First.Value.equal(pair.Second.Value).all().item<bool>(), $"{pair.First.Name} differs"));
        }
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void A_call_cut_in_two_gives_the_reference()
    {
        using var scope = NewDisposeScope();
        var x = Inputs(new Shape(1, 500, 2, 4, 128, 128, 64), 1, hasStates: true, hasDocuments: false);
        var (whole, last) = GatedSlotOperator.Apply(GatedSlotForm.Reference, Wide(x[0]!), Wide(x[1]!), Wide(x[2]!), Wide(x[3]!), Wide(x[4]!), new(Wide(x[6]!), Wide(x[7]!)));
        var card = x.Select(t => t?.cuda()).ToArray();
        Tensor Part(int i, long start, long end) => card[i]!.narrow(1, start, end - start);
        var (early, middle) = GatedSlotOperator.Apply(
            GatedSlotForm.Chunk, Part(0, 0, 133), Part(1, 0, 133), Part(2, 0, 133), Part(3, 0, 133), Part(4, 0, 133), new(card[6]!, card[7]!));
        var (late, end) = GatedSlotOperator.Apply(GatedSlotForm.Chunk, Part(0, 133, 500), Part(1, 133, 500), Part(2, 133, 500), Part(3, 133, 500), Part(4, 133, 500), middle);
        Check("o", cat([early, late], 1), whole, Bar);
        Check("keys", end.Keys, last.Keys, Bar);
        Check("values", end.Values, last.Values, Bar);
    }

    private static void Agree(Shape shape, double gate, bool hasStates, bool hasDocuments)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(shape, gate, hasStates, hasDocuments);
        Poison();
        var actual = Run([.. inputs.Select(x => x?.cuda())], GatedSlotForm.Chunk);
        var expected = Run([.. inputs.Select(x => x is null || x.dtype == ScalarType.Bool ? x : Wide(x))], GatedSlotForm.Reference);
        foreach (var ((name, a), (_, b)) in actual.Zip(expected))
        {
            Check(name, a, b, name is "ds" or "dg" ? GateBar : Bar);
        }
    }

    private static void Check(string name, Tensor actual, Tensor expected, double bar)
    {
        // A gradient can be nothing at all, as that of q is where there is one token of equal slots.
        using var a = Wide(actual).cpu();
        double norm = expected.norm().ToDouble(), error = (a - expected).norm().ToDouble();
        Assert.True(error <= bar * norm || error <= 1e-6, string.Create(CultureInfo.InvariantCulture, $"{name} is {error / norm:e2} off, allowed {bar:e0}"));
    }

    private static Tensor Wide(Tensor x) => x.to(ScalarType.Float64);

    // q, k, v, s, g, the output's gradient; the first state and the gradient of the last; where documents start. States are of the size that a long text leaves.
    private static Tensor?[] Inputs(Shape s, double gate, bool hasStates, bool hasDocuments)
    {
        manual_seed((s.Length * 1000) + s.Slots);
        Tensor Normal(long heads, long width) => randn([s.Batch, s.Length, heads, width]);
        Tensor Half(Tensor x) => x.to(ScalarType.BFloat16);
        Tensor? State(double size, long a, long b) => hasStates ? randn([s.Batch, s.KeyValueHeads, a, b]) * size : null;
        var g = nn.functional.logsigmoid(Normal(s.KeyValueHeads, s.Slots) * gate) / Normalizer;
        return
        [
            Half(nn.functional.silu(Normal(s.Heads, s.KeyDim))), Half(nn.functional.silu(Normal(s.KeyValueHeads, s.KeyDim))), Half(nn.functional.silu(Normal(s.KeyValueHeads, s.ValueDim))),
            g.expm1().neg(), g, Half(Normal(s.Heads, s.ValueDim)),
            State(0.3, s.KeyDim, s.Slots), State(0.3, s.Slots, s.ValueDim), State(1, s.KeyDim, s.Slots), State(1, s.Slots, s.ValueDim),
            hasDocuments ? rand(s.Batch, s.Length).lt(0.03) : null,
        ];
    }

    private static List<(string Name, Tensor Value)> Run(Tensor?[] inputs, GatedSlotForm form)
    {
        Tensor?[] leaves = [.. inputs.Select((x, i) => i is 5 or >= 8 ? x : x?.detach().requires_grad_())];
        var initial = leaves[6] is null ? null : new GatedSlotState(leaves[6]!, leaves[7]!);
        var (o, final) = GatedSlotOperator.Apply(form, leaves[0]!, leaves[1]!, leaves[2]!, leaves[3]!, leaves[4]!, initial, leaves[10]);
        Tensor[] roots = leaves[8] is null ? [o] : [o, final.Keys, final.Values];
        Autograd.Backward(roots, leaves[8] is null ? [leaves[5]!] : [leaves[5]!, leaves[8]!, leaves[9]!]);
        string[] names = ["dq", "dk", "dv", "ds", "dg", "", "dkeys", "dvalues"];
        return
        [
            ("o", o.detach()), ("keys", final.Keys.detach()), ("values", final.Values.detach()),
            .. names.Select((n, i) => (Name: n, Value: n.Length > 0 ? leaves[i]?.grad : null)).Where(x => x.Value is not null).Select(x => (x.Name, x.Value!)),
        ];
    }

    // What the allocator hands out next is full of NaN.
    private static void Poison()
    {
        using var scope = NewDisposeScope();
        for (int i = 0; i < 20; i++)
        {
            full([1 << (10 + (i / 2))], double.NaN, ScalarType.Float32, CUDA);
        }

        full([1 << 26], double.NaN, ScalarType.Float32, CUDA);
    }

    private sealed record Shape(int Batch, int Length, int KeyValueHeads, int Groups, int KeyDim, int ValueDim, int Slots)
    {
        public int Heads => KeyValueHeads * Groups;
    }
}
