using T2R.Conversion;
using T2R.Mixers;
using T2R.Models;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Conversion;

public class InitializationTests
{
    private const int Hidden = 256, Heads = 4, KeyValueHeads = 2, HeadDim = 64, Slots = 32;
    private static readonly GatedSlotAttentionConfig Target = new(Heads, KeyValueHeads, HeadDim, Slots);

    private static readonly ModelConfig Source = TinyTransformer.Config with
    {
        HiddenSize = Hidden,
        Mixers = [new SoftmaxAttentionConfig(Heads, KeyValueHeads, HeadDim, 10000, null)],
    };

    public static TheoryData<double, double> Deviations => new() { { 2, 6 }, { 4, 4 }, { new SpreadInitialization().FirstLogitDeviation, new SpreadInitialization().LastLogitDeviation } };

    [Theory]
    [MemberData(nameof(Deviations))]
    public void Spread_gates_have_logits_of_the_deviation_asked_for_over_normalised_inputs(double first, double last)
    {
        using var scope = NewDisposeScope();
        var layer = Layer(out var weights);
        var gates = new SpreadInitialization { FirstLogitDeviation = first, LastLogitDeviation = last }.Start("mixer.f_proj", layer);
        var deviation_HM = Inputs(weights).matmul(gates.t()).std(0).view(KeyValueHeads, Slots);
        Assert.True((deviation_HM / linspace(first, last, Slots) - 1).abs().max().item<float>() < 0.1);
    }

    [Fact]
    public void Spread_gates_read_the_input_only_along_their_own_heads_keys()
    {
        using var scope = NewDisposeScope();
        var layer = Layer(out var weights);
        var gates_HMD = new SpreadInitialization().Start("mixer.f_proj", layer).view(KeyValueHeads, Slots, Hidden);
        var keys_HdD = weights["mixer.k_proj"].view(KeyValueHeads, HeadDim, Hidden);
        for (int head = 0; head < KeyValueHeads; head++)
        {
            // What the rows of the head's keys span is HeadDim of the Hidden directions; nothing of a gate may lie outside.
            var basis = linalg.qr(keys_HdD[head].t()).Q;
            var outside = gates_HMD[head] - gates_HMD[head].matmul(basis).matmul(basis.t());
            Assert.True(outside.norm().item<float>() < 1e-4 * gates_HMD[head].norm().item<float>());
        }

        Assert.True(gates_HMD[0].isclose(gates_HMD[1]).sum().item<long>() == 0);
    }

    [Fact]
    public void An_unrelated_part_adds_its_own_deviation()
    {
        using var scope = NewDisposeScope();
        var layer = Layer(out var weights);
        var gates = new SpreadInitialization { FirstLogitDeviation = 3, LastLogitDeviation = 3, UnrelatedLogitDeviation = 4 }.Start("mixer.f_proj", layer);
        double deviation = Math.Sqrt(Inputs(weights).matmul(gates.t()).square().mean().item<float>());
        Assert.InRange(deviation, 4.8, 5.2);
    }

    [Fact]
    public void Spread_scales_values_and_gives_the_output_norm_their_size()
    {
        using var scope = NewDisposeScope();
        var layer = Layer(out var weights);
        var spread = new SpreadInitialization();
        double size = Size(Inputs(weights).matmul(weights["mixer.v_proj"].t()));
        var scaled = spread.Start("mixer.v_proj", layer);
        Assert.InRange(Size(Inputs(weights).matmul(scaled.t())), 0.95 * 0.07, 1.05 * 0.07);
        var ratio = scaled / weights["mixer.v_proj"];
        Assert.True(ratio.allclose(ratio.mean()));

        double expected = 0.6 * size;
        var norm = spread.Start("mixer.g_norm", layer);
        Assert.Equal([Heads * HeadDim], norm.shape);
        Assert.InRange(norm.min().item<float>(), 0.95 * expected, 1.05 * expected);
        Assert.Equal(norm.min().item<float>(), norm.max().item<float>());

        static double Size(Tensor x) => Math.Sqrt(x.square().mean().item<float>());
    }

    [Fact]
    public void Random_is_as_the_peer_starts()
    {
        using var scope = NewDisposeScope();
        var layer = Layer(out _);
        var random = new RandomInitialization();
        Assert.Equal(["mixer.f_proj", "mixer.g_norm"], random.Parts.Keys.Order());
        var gates = random.Start("mixer.f_proj", layer);
        Assert.Equal([KeyValueHeads * Slots, Hidden], gates.shape);
        Assert.InRange(gates.std().item<float>(), 0.0195, 0.0205);
        Assert.InRange(gates.mean().item<float>(), -0.001, 0.001);
        Assert.True(random.Start("mixer.g_norm", layer).eq(1).all().item<bool>());
    }

    [Theory]
    [InlineData("spread")]
    [InlineData("random")]
    public void What_a_layer_starts_with_depends_on_seed_and_layer_alone(string name)
    {
        using var scope = NewDisposeScope();
        var initialization = Initializations.Named(name);
        var first = initialization.Start("mixer.f_proj", Layer(out _));
        foreach (string part in initialization.Parts.Keys)
        {
            initialization.Start(part, Layer(out _));
        }

        Assert.True(first.equal(initialization.Start("mixer.f_proj", Layer(out _))).all().item<bool>());
        Assert.False(first.equal(initialization.Start("mixer.f_proj", Layer(out _, seed: 2))).all().item<bool>());
        Assert.False(first.equal(initialization.Start("mixer.f_proj", Layer(out _, index: 1))).all().item<bool>());
    }

    [Fact]
    public void A_dead_layer_gives_finite_weights()
    {
        using var scope = NewDisposeScope();
        var layer = Layer(out var weights);
        weights["mixer.k_proj"].zero_();
        weights["mixer.v_proj"].zero_();
        var spread = new SpreadInitialization();
        Assert.All(spread.Parts.Keys, part => Assert.True(spread.Start(part, layer).isfinite().all().item<bool>(), part));
    }

    [Fact]
    public void The_default_is_spread() => Assert.IsType<SpreadInitialization>(Initializations.Named(new ConversionOptions().Initialization));

    private static PretrainedLayer Layer(out IReadOnlyDictionary<string, Tensor> weights, long seed = 1, int index = 0)
    {
        using var generator = new Generator(11, CPU);
        var drawn = new Dictionary<string, Tensor>
        {
            ["mixer_norm"] = rand([Hidden], ScalarType.Float32, generator: generator) + 0.2,
            ["mixer.k_proj"] = randn([KeyValueHeads * HeadDim, Hidden], ScalarType.Float32, generator: generator) * 0.05,
            ["mixer.v_proj"] = randn([KeyValueHeads * HeadDim, Hidden], ScalarType.Float32, generator: generator) * 0.05,
        };
        weights = drawn;
        var source = Source with { Mixers = [Source.Mixers[0], Source.Mixers[0]] };
        return new PretrainedLayer(source, index, Target, seed, spec => drawn[spec.Name.Split('.', 3)[2].Replace(".weight", "", StringComparison.Ordinal)].alias());
    }

    private static Tensor Inputs(IReadOnlyDictionary<string, Tensor> weights)
    {
        using var generator = new Generator(12, CPU);
        var x_TD = randn([4000, Hidden], ScalarType.Float32, generator: generator);
        return x_TD / x_TD.square().mean([1], keepdim: true).sqrt() * weights["mixer_norm"];
    }
}
