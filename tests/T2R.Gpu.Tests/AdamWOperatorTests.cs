using T2R.Interop;
using T2R.Ops.AdamW;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>The step on the card against the step on the CPU: the same bits.</summary>
public class AdamWOperatorTests
{
    private static readonly string[] Formats = [nameof(MomentFormat.Float32), nameof(MomentFormat.BFloat16), nameof(MomentFormat.EightBit)];
    private static readonly ScalarType[] Types = [ScalarType.Float32, ScalarType.BFloat16];

    public static TheoryData<string, ScalarType, ScalarType, bool> Cases
    {
        get
        {
            var cases = new TheoryData<string, ScalarType, ScalarType, bool>();
            foreach (var (format, weight, gradient) in from f in Formats from w in Types from g in Types select (f, w, g))
            {
                cases.Add(format, weight, gradient, false);
            }

            cases.Add(Formats[0], ScalarType.BFloat16, ScalarType.Float32, true);
            cases.Add(Formats[0], ScalarType.BFloat16, ScalarType.BFloat16, true);
            return cases;
        }
    }

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [MemberData(nameof(Cases))]
    public void Card_and_CPU_give_the_same_bits(string format, ScalarType weightType, ScalarType gradientType, bool mastered)
    {
        foreach (long count in new long[] { 1, 7, 255, 256, 257, 4096 * 33 })
        {
            foreach (long offset in new long[] { 0, 3 })
            {
                Compare(Enum.Parse<MomentFormat>(format), weightType, gradientType, mastered, count, offset);
            }
        }
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void Many_weights_of_every_kind_step_at_once()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        (MomentFormat Format, ScalarType Type, bool Mastered)[] kinds =
        [
            (MomentFormat.Float32, ScalarType.Float32, false), (MomentFormat.Float32, ScalarType.BFloat16, true), (MomentFormat.BFloat16, ScalarType.BFloat16, false), (MomentFormat.EightBit, ScalarType.BFloat16, false),
        ];
        var both = Enumerable.Range(0, 120).Select(i =>
        {
            var (format, type, mastered) = kinds[i % kinds.Length];
            var weight = randn((i * 977 % 20_000) + 1).to(type);
            return (Cpu: new Side(weight, format, mastered, 0, CPU), Card: new Side(weight, format, mastered, 0, CUDA), Gradient: randn(weight.shape).to(type));
        }).ToList();
        AdamWOperator.Step(both.Select((b, i) => b.Cpu.Range(b.Gradient, Constants(i))));
        AdamWOperator.Step(both.Select((b, i) => b.Card.Range(b.Gradient, Constants(i))));
        both.ForEach(b => MustBeEqual(b.Cpu, b.Card, "of many weights"));

        static AdamWStep Constants(int i) => AdamWStep.Of(1, 0.9, 0.95, 1e-8, 1e-2 / (i + 1), 0.1, 0.7, key: (ulong)i);
    }

    // Six steps; every tensor begins at an offset of its memory.
    private static void Compare(MomentFormat format, ScalarType weightType, ScalarType gradientType, bool mastered, long count, long offset)
    {
        using var scope = NewDisposeScope();
        manual_seed(count + offset);
        var weight = randn(count).to(weightType);
        Side cpu = new(weight, format, mastered, offset, CPU), card = new(weight, format, mastered, offset, CUDA);
        for (int step = 1; step <= 6; step++)
        {
            // Sizes of eight decades, and zeros.
            var gradient = (randn(count) * (3 * randn(count)).exp() * rand(count).gt(0.1)).to(gradientType);
            var constants = AdamWStep.Of(step, 0.9, 0.95, step == 3 ? 0 : 1e-8, 1e-2, 0.1, 0.7, key: 0x9E3779B97F4A7C15 * (ulong)step);
            AdamWOperator.Step(cpu.Range(gradient, constants));
            AdamWOperator.Step(card.Range(gradient, constants));
            MustBeEqual(cpu, card, $"of {count} elements from {offset}, step {step}");
        }
    }

    private static void MustBeEqual(Side cpu, Side card, string what)
    {
        foreach (var (expected, actual) in cpu.Tensors.Zip(card.Tensors))
        {
            using var fetched = actual.Tensor.cpu();
            Assert.True(TensorMemory.Bytes(expected.Tensor).SequenceEqual(TensorMemory.Bytes(fetched)), $"{expected.Name} {what}: {expected.Tensor.ne(fetched).sum().item<long>()} differ");
        }
    }

    private sealed class Side
    {
        private readonly long _offset;
        private readonly Tensor _weight;
        private readonly AdamWState _state;

        public Side(Tensor weight, MomentFormat format, bool mastered, long offset, Device device)
        {
            _offset = offset;
            _weight = Place(weight, device);
            var numbers = AdamWOperator.TypeOf(format);
            Tensor Zeros(long count, ScalarType dtype) => Place(zeros(count, dtype), device);
            long count = weight.shape[0], blocks = (count + EightBitCode.Block - 1) / EightBitCode.Block;
            bool scaled = format == MomentFormat.EightBit;
            _state = new AdamWState(
                format,
                Zeros(count, numbers),
                Zeros(count, numbers),
                scaled ? Zeros(blocks, ScalarType.Float32) : null,
                scaled ? Zeros(blocks, ScalarType.Float32) : null,
                mastered ? Place(weight.to(ScalarType.Float32), device) : null);
        }

        public IEnumerable<(string Name, Tensor Tensor)> Tensors =>
            new (string Name, Tensor? Tensor)[]
            {
                ("weight", _weight), ("m", _state.Mean), ("v", _state.Spread), ("scale of m", _state.MeanScale), ("scale of v", _state.SpreadScale), ("master", _state.Master),
            }.Where(t => t.Tensor is not null).Select(t => (t.Name, t.Tensor!));

        public AdamWRange Range(Tensor gradient, AdamWStep constants) => AdamWRange.Whole(_weight, Place(gradient, _weight.device), _state, constants);

        private Tensor Place(Tensor values, Device device)
        {
            var view = zeros(values.shape[0] + _offset, values.dtype, device).narrow(0, _offset, values.shape[0]);
            view.copy_(values);
            return view;
        }
    }
}
