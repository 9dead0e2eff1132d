using T2R.Ops.GatedSlot;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.GatedSlot;

public class FormsTests
{
    internal static readonly Dictionary<string, Form> Forms = new()
    {
        ["chunk of tensors"] = Chunk.Apply,
        ["chunk on the CPU"] = CpuChunk.Apply,
        ["recurrent"] = Recurrent.Apply,
        ["operator, chunk"] = (q, k, v, s, g, initial, starts) => GatedSlotOperator.Apply(GatedSlotForm.Chunk, q, k, v, s, g, initial, starts),
    };

    public static TheoryData<string> Names => [.. Forms.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_length_gives_the_reference(string form)
    {
        foreach (int length in new[] { 1, 2, 15, 16, 17, 63, 64, 65, 130 })
        {
            Agree(form, () => OperatorCase.Random(length, 10), 1e-5, 1e-4);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_thousand_tokens_give_the_reference(string form) =>
        Agree(form, () => OperatorCase.Random(1000, 10, batch: 1), 1e-5, 1e-4);

    [Theory]
    [MemberData(nameof(Names))]
    public void Hard_gates_give_the_reference(string form)
    {
        Agree(form, () => OperatorCase.Random(200, 30), 1e-4, 1e-3);
        Agree(form, () => HalfOfTheSlotsAt(-30), 1e-4, 1e-3);
        Agree(form, () => HalfOfTheSlotsAt(-10), 1e-5, 1e-4);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Without_an_initial_state_the_reference_is_met(string form) =>
        Agree(form, () => OperatorCase.Random(100, 10, initialState: false), 1e-5, 1e-4);

    [Theory]
    [MemberData(nameof(Names))]
    public void Documents_start_anywhere(string form)
    {
        foreach (int[] starts in new int[][] { [0], [30], [31, 32], [64], [63, 64, 65], [0, 1, 5, 40, 99, 128, 149] })
        {
            Agree(form, () => OperatorCase.Random(150, 10, documentStarts: starts), 1e-5, 1e-4);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Grouped_heads_and_odd_sizes_give_the_reference(string form)
    {
        foreach (int groups in new[] { 1, 2, 4, 5 })
        {
            Agree(form, () => OperatorCase.Random(70, 10, keyValueHeads: 3, groups: groups, keyDim: 7, slots: 13, valueDim: 9), 1e-5, 1e-4);
        }

        Agree(form, () => OperatorCase.Random(70, 10, keyValueHeads: 1, groups: 1, keyDim: 1, slots: 2, valueDim: 1, batch: 1), 1e-5, 1e-4);
        Agree(form, () => OperatorCase.Random(40, 10, keyDim: 64, slots: 32, valueDim: 48), 1e-5, 1e-4);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Two_calls_joined_by_the_state_equal_one(string form)
    {
        using var scope = torch.NewDisposeScope();
        var whole = OperatorCase.Random(150, 10, documentStarts: [20, 90]);
        Form halves = (q, k, v, s, g, initial, starts) =>
        {
            Tensor First(Tensor x) => x.slice(1, 0, 70, 1);
            Tensor Second(Tensor x) => x.slice(1, 70, 150, 1);
            var (o1, middle) = Forms[form](First(q), First(k), First(v), First(s), First(g), initial, First(starts!));
            var (o2, final) = Forms[form](Second(q), Second(k), Second(v), Second(s), Second(g), middle, Second(starts!));
            return (torch.cat([o1, o2], 1), final);
        };
        Compare(whole.Run(halves, ScalarType.Float32), whole.Run(Reference.Apply, ScalarType.Float64), 1e-5, 1e-4, form);
    }

    [Theory]
    [InlineData("chunk of tensors")]
    [InlineData("recurrent")]
    [InlineData("operator, chunk")]
    public void Float64_is_computed_in_float64(string form)
    {
        using var scope = torch.NewDisposeScope();
        var c = OperatorCase.Random(90, 10, documentStarts: [33]);
        Compare(c.Run(Forms[form], ScalarType.Float64), c.Run(Reference.Apply, ScalarType.Float64), 1e-13, 1e-12, form);
    }

    // Not all of them: slots that forget everything are equal, and then the true gradient of q is 0.
    private static OperatorCase HalfOfTheSlotsAt(double gate)
    {
        var c = OperatorCase.Random(100, 1);
        var g = c.Inputs["g"].clone();
        g.slice(-1, 0, g.shape[^1], 2).fill_(gate);
        return c with { Inputs = new Dictionary<string, Tensor>(c.Inputs) { ["g"] = g, ["s"] = -g.expm1() } };
    }

    private static void Agree(string form, Func<OperatorCase> make, double bar, double gradientBar)
    {
        using var scope = torch.NewDisposeScope();
        var c = make();
        Compare(c.Run(Forms[form], ScalarType.Float32), c.Run(Reference.Apply, ScalarType.Float64), bar, gradientBar, form);
    }

    internal static void Compare(
        IReadOnlyDictionary<string, Tensor> actual, IReadOnlyDictionary<string, Tensor> expected, double bar, double gradientBar, string form)
    {
        foreach (var (name, b) in expected)
        {
            double error = OperatorCase.RelativeError(actual[name], b);
            double limit = name[0] == 'd' ? gradientBar : bar;
            Assert.True(error <= limit, $"{form}: {name} is {error:e2} off, allowed {limit:e0}");
        }
    }
}
