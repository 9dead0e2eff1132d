using T2R.Interop;
using T2R.Ops.AdamW;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.AdamW;

public class AdamWOperatorTests
{
    private static readonly AdamWStep Constants = AdamWStep.Of(3, 0.9, 0.95, 1e-8, 1e-2, 0.1, 0.5, key: 0x9ABCDEF012345678);

    [Theory]
    [InlineData(ScalarType.BFloat16, ScalarType.BFloat16)]
    [InlineData(ScalarType.BFloat16, ScalarType.Float32)]
    [InlineData(ScalarType.Float32, ScalarType.BFloat16)]
    public void Each_element_is_the_fp32_step_rounded_to_one_of_its_neighbours(ScalarType weightType, ScalarType gradientType)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        const int Count = 1000;
        Tensor weight = randn(Count).to(weightType), gradient = randn(Count).to(gradientType), m = randn(Count).to(ScalarType.BFloat16), v = rand(Count).to(ScalarType.BFloat16);
        Tensor exactWeight = weight.to(ScalarType.Float32), exactM = m.to(ScalarType.Float32), exactV = v.to(ScalarType.Float32);
        AdamWOperator.Step(AdamWRange.Whole(exactWeight, gradient, new AdamWState(MomentFormat.Float32, exactM, exactV), Constants));
        AdamWOperator.Step(AdamWRange.Whole(weight, gradient, new AdamWState(MomentFormat.BFloat16, m, v), Constants));
        MustBeNeighbours(exactM, m);
        MustBeNeighbours(exactV, v);
        if (weightType == ScalarType.BFloat16)
        {
            MustBeNeighbours(exactWeight, weight);
        }
        else
        {
            Assert.True(exactWeight.eq(weight).all().item<bool>());
        }
    }

    [Fact]
    public void Eight_bit_moments_are_within_a_code_of_the_fp32_step()
    {
        using var scope = NewDisposeScope();
        manual_seed(2);
        const int Count = 2000;
        Tensor weight = randn(Count), gradient = randn(Count).sign() * ((10 * rand(Count)) - 5).exp();
        var state = EightBit(Count);
        var first = AdamWStep.Of(1, 0.9, 0.95, 1e-8, 1e-2, 0.1, 0.5, key: 5);
        AdamWOperator.Step(AdamWRange.Whole(weight, gradient, state, first));
        var (m, root) = Decoded(state);
        var exactM = 0.1 * 0.5 * gradient.to(ScalarType.Float64);
        var exactRoot = Math.Sqrt(0.05) * 0.5 * gradient.to(ScalarType.Float64).abs();
        Assert.InRange(((m - exactM).abs() / exactM.abs()).max().item<double>(), 1e-3, 0.125);
        Assert.InRange(((root - exactRoot).abs() / exactRoot).max().item<double>(), 1e-3, 0.0626);

        // By chance, so without a drift.
        Assert.InRange(Math.Abs(((m - exactM) / exactM).mean().item<double>()), 0, 5 * 0.04 / Math.Sqrt(Count));
        Assert.InRange(Math.Abs(((root - exactRoot) / exactRoot).mean().item<double>()), 0, 5 * 0.02 / Math.Sqrt(Count));
    }

    [Fact]
    public void An_outlier_hides_no_element_of_another_block()
    {
        using var scope = NewDisposeScope();
        var gradient = full([600], 1e-3f);
        gradient[0] = 1e6f;
        var state = EightBit(600);
        AdamWOperator.Step(AdamWRange.Whole(zeros(600), gradient, state, AdamWStep.Of(1, 0.9, 0.95, 1e-8, 1e-2, 0, 1, key: 5)));
        var (m, _) = Decoded(state);
        Assert.Equal(1e-4, m[300].item<double>(), 1e-9);
        Assert.Equal(1e-4, m[599].item<double>(), 1e-9);
    }

    [Theory]
    [InlineData(nameof(MomentFormat.Float32))]
    [InlineData(nameof(MomentFormat.BFloat16))]
    [InlineData(nameof(MomentFormat.EightBit))]
    public void Weights_without_gradient_stay_and_NaNs_show(string format)
    {
        using var scope = NewDisposeScope();
        var state = Zeros(format, 300);
        Tensor weight = ones(300, ScalarType.BFloat16), gradient = zeros(300);
        var step = AdamWStep.Of(1, 0.9, 0.95, 0, 1e-2, 0, 1, key: 5);
        AdamWOperator.Step(AdamWRange.Whole(weight, gradient, state, step));
        Assert.True(weight.eq(1).all().item<bool>());
        gradient[7] = float.NaN;
        AdamWOperator.Step(AdamWRange.Whole(weight, gradient, state, step));
        Assert.Equal(1, weight.isnan().sum().item<long>());
        Assert.True(weight[7].isnan().item<bool>());
    }

    [Fact]
    public void The_ratio_of_moments_is_cut_where_exact_moments_cannot_be()
    {
        using var scope = NewDisposeScope();
        var weight = zeros(1);
        var state = new AdamWState(MomentFormat.BFloat16, full([1], 1f, ScalarType.BFloat16), full([1], 1e-12f, ScalarType.BFloat16));
        AdamWOperator.Step(AdamWRange.Whole(weight, zeros(1), state, AdamWStep.Of(50, 0.9, 0.95, 1e-8, 1e-2, 0, 1, key: 5)));
        Assert.Equal(-1e-2 * AdamWStep.LargestRatio(50, 0.9, 0.95), weight.item<float>(), 1e-8);
    }

    [Fact]
    public void A_view_and_a_transposed_gradient_give_the_same_bits_on_any_number_of_threads()
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        Tensor weight = randn(300, 401).to(ScalarType.BFloat16), gradient = randn(300, 401);
        Tensor holder = zeros((300 * 401) + 3, ScalarType.BFloat16), view = holder.narrow(0, 3, 300 * 401).view(300, 401);
        view.copy_(weight);
        AdamWState one = EightBit(300 * 401), other = EightBit(300 * 401);
        AdamWOperator.Step(AdamWRange.Whole(weight, gradient, one, Constants));
        int threads = get_num_threads();
        set_num_threads(2);
        AdamWOperator.Step(AdamWRange.Whole(view, gradient.t().contiguous().t(), other, Constants));
        set_num_threads(threads);
        Assert.True(weight.eq(view).all().item<bool>());
        Assert.True(TensorMemory.Bytes(one.Mean).SequenceEqual(TensorMemory.Bytes(other.Mean)));
        Assert.True(TensorMemory.Bytes(one.Spread).SequenceEqual(TensorMemory.Bytes(other.Spread)));
        Assert.Equal(0, holder.narrow(0, 0, 3).count_nonzero().item<long>());
    }

    [Theory]
    [InlineData(nameof(MomentFormat.BFloat16), false)]
    [InlineData(nameof(MomentFormat.EightBit), false)]
    [InlineData(nameof(MomentFormat.Float32), true)]
    public void Ranges_give_the_bits_of_the_whole(string format, bool mastered)
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        const int Count = 1000, Cut = 512;
        Tensor whole = randn(Count).to(ScalarType.BFloat16), cut = whole.clone(), gradient = randn(Count);
        AdamWState[] states = [.. new[] { Count, Cut, Count - Cut }.Select(n => Zeros(format, n))];
        if (mastered)
        {
            states = [.. states.Zip([whole, whole[..Cut], whole[Cut..]], (s, w) => s with { Master = w.to(ScalarType.Float32) })];
        }

        AdamWOperator.Step(AdamWRange.Whole(whole, gradient, states[0], Constants));
        AdamWOperator.Step(new AdamWRange(cut, gradient, states[1], Constants, 0, Cut), new AdamWRange(cut, gradient, states[2], Constants, Cut, Count - Cut));
        Assert.True(TensorMemory.Bytes(whole).SequenceEqual(TensorMemory.Bytes(cut)));
        MustBeJoined(s => s.Mean);
        MustBeJoined(s => s.Spread);
        MustBeJoined(s => s.MeanScale);
        MustBeJoined(s => s.Master);

        void MustBeJoined(Func<AdamWState, Tensor?> part)
        {
            if (part(states[0]) is { } all)
            {
                using var joined = cat([part(states[1])!, part(states[2])!]);
                Assert.True(TensorMemory.Bytes(all).SequenceEqual(TensorMemory.Bytes(joined)));
            }
        }
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        using var scope = NewDisposeScope();
        var moments = new AdamWState(MomentFormat.BFloat16, zeros(4, ScalarType.BFloat16), zeros(4, ScalarType.BFloat16));
        Refused(zeros(4, ScalarType.Float64), zeros(4), moments);
        Refused(zeros(4), zeros(4, ScalarType.Float16), moments);
        Refused(zeros(4), zeros(5), moments);
        Refused(zeros(4), zeros(4), moments with { Spread = zeros(3, ScalarType.BFloat16) });
        Refused(zeros(4), zeros(4), moments with { Format = MomentFormat.Float32 });
        Refused(zeros(4), zeros(4), EightBit(4) with { SpreadScale = null });
        Refused(zeros(4), zeros(4), moments with { Master = zeros(4) });
        Refused(zeros(2, 4).t(), zeros(4, 2), new AdamWState(MomentFormat.Float32, zeros(8), zeros(8)));
        var whole = AdamWRange.Whole(zeros(600), zeros(600), EightBit(600), Constants);
        Assert.Throws<ArgumentException>(() => AdamWOperator.Step(whole with { First = 128, Count = 128 }));
        Assert.Throws<ArgumentException>(() => AdamWOperator.Step(whole with { First = 256, Count = 345 }));

        static void Refused(Tensor weight, Tensor gradient, AdamWState state) => Assert.Throws<ArgumentException>(() => AdamWOperator.Step(AdamWRange.Whole(weight, gradient, state, Constants)));
    }

    [Theory]
    [InlineData(nameof(MomentFormat.BFloat16))]
    [InlineData(nameof(MomentFormat.EightBit))]
    public void A_step_leaves_no_tensor_behind(string format)
    {
        using var scope = NewDisposeScope();
        var state = Zeros(format, 300);
        Tensor weight = zeros(300), gradient = ones(300);
        long before = TensorCount.Settled();
        AdamWOperator.Step(AdamWRange.Whole(weight, gradient, state, Constants));
        Assert.Equal(before, Tensor.TotalCount);
    }

    private static AdamWState Zeros(string name, int count)
    {
        var format = Enum.Parse<MomentFormat>(name);
        return format == MomentFormat.EightBit ? EightBit(count) : new AdamWState(format, zeros(count, AdamWOperator.TypeOf(format)), zeros(count, AdamWOperator.TypeOf(format)));
    }

    private static AdamWState EightBit(int count) => new(
        MomentFormat.EightBit, zeros(count, ScalarType.Byte), zeros(count, ScalarType.Byte), zeros((count + 255) / 256), zeros((count + 255) / 256));

    // m and √v, fp64, by the meaning of the codes written out again.
    private static (Tensor M, Tensor Root) Decoded(AdamWState state)
    {
        byte[] means = TensorMemory.AsSpan<byte>(state.Mean).ToArray(), spreads = TensorMemory.AsSpan<byte>(state.Spread).ToArray();
        float[] meanScales = TensorMemory.AsSpan<float>(state.MeanScale!).ToArray(), spreadScales = TensorMemory.AsSpan<float>(state.SpreadScale!).ToArray();
        return (
            tensor(means.Select((c, i) => (c > 127 ? -1 : 1) * Magnitude(c & 127, 127, 8) * meanScales[i / 256]).ToArray()),
            tensor(spreads.Select((c, i) => Magnitude(c, 255, 16) * spreadScales[i / 256]).ToArray()));

        static double Magnitude(int code, int largest, int stepsPerOctave)
        {
            int up = stepsPerOctave - 1 - ((largest - code + stepsPerOctave - 1) % stepsPerOctave);
            int octaves = (largest - code + stepsPerOctave - 1) / stepsPerOctave;
            return code == 0 ? 0 : Math.Pow(2, -octaves) * (1 + (octaves == 0 ? 0 : up / (double)stepsPerOctave));
        }
    }

    private static void MustBeNeighbours(Tensor exact, Tensor rounded)
    {
        var error = (exact - rounded.to(ScalarType.Float32)).abs() / exact.abs();
        Assert.InRange(error.max().item<float>(), 1e-4, 1 / 128f);
        Assert.False(exact.to(ScalarType.BFloat16).eq(rounded).all().item<bool>(), "rounded to nearest, not by chance");
    }
}
