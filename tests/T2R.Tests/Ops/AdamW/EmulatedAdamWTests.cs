using System.Runtime.InteropServices;
using T2R.Interop;
using T2R.Ops.AdamW;
using T2R.Tests.Checkpoints;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.AdamW;

/// <summary>The card's kernels, compiled for the CPU, against the step on the CPU: the same bits, of several ranges at once.</summary>
public class EmulatedAdamWTests(EmulatedAdamWTests.Program program) : IClassFixture<EmulatedAdamWTests.Program>
{
    // Elements of each weight, the first that steps, and the elements that its numbers lie after a multiple of 16 bytes.
    private static readonly (int Count, int First, int Offset)[] Shapes = [(1, 0, 0), (255, 0, 1), (9000, 0, 0), (256, 0, 0), (1300, 512, 0), (2057, 256, 3)];

    [Theory]
    [InlineData("f32_f32_f32")]
    [InlineData("f32_bf16_f32")]
    [InlineData("bf16_f32_f32")]
    [InlineData("bf16_bf16_f32")]
    [InlineData("master_f32_f32")]
    [InlineData("master_bf16_f32")]
    [InlineData("f32_f32_bf16")]
    [InlineData("f32_bf16_bf16")]
    [InlineData("bf16_f32_bf16")]
    [InlineData("bf16_bf16_bf16")]
    [InlineData("f32_f32_8bit")]
    [InlineData("f32_bf16_8bit")]
    [InlineData("bf16_f32_8bit")]
    [InlineData("bf16_bf16_8bit")]
    public void Kernels_give_the_bits_of_the_CPU(string types)
    {
        Assert.SkipUnless(Emulator.HasCompiler(), Emulator.Lack);
        using var scope = NewDisposeScope();
        manual_seed(1);
        bool mastered = types.StartsWith("master", StringComparison.Ordinal);
        ScalarType[] dtypes = [.. types.Split('_')[..2].Select(t => t == "f32" ? ScalarType.Float32 : ScalarType.BFloat16)];
        var format = types.Split('_')[2] switch { "f32" => MomentFormat.Float32, "bf16" => MomentFormat.BFloat16, _ => MomentFormat.EightBit };
        Tensor[] weights = [.. Shapes.Select(s => randn(s.Count).to(mastered ? ScalarType.BFloat16 : dtypes[0]))];
        AdamWState[] states = [.. Shapes.Zip(weights, (s, w) => Zeros(format, s.Count - s.First, mastered ? w[s.First..].to(ScalarType.Float32) : null))];
        for (int step = 1; step <= 4; step++)
        {
            AdamWRange[] ranges = [.. Shapes.Select((s, i) => new AdamWRange(
                weights[i], Drawn(s.Count).to(dtypes[1]), states[i], Constants(step, i), s.First, s.Count - s.First))];
            byte[] emulated = program.Step(types, ranges, [.. Shapes.Select(s => s.Offset)]);
            AdamWOperator.Step(ranges);
            byte[] expected = [.. ranges.SelectMany(Changed)];
            Assert.True(emulated.AsSpan(0, expected.Length).SequenceEqual(expected), $"step {step}: byte {emulated.AsSpan().CommonPrefixLength(expected)} of {expected.Length} is the first that differs");
        }
    }

    // Each weight's own, as it may be; without an epsilon once.
    private static AdamWStep Constants(int step, int weight) =>
        AdamWStep.Of(step, 0.9, 0.95, step == 3 ? 0 : 1e-8, 1e-2 / (1 + weight), 0.1 * weight, 0.7, key: 0x9E3779B97F4A7C15 * (ulong)(step + (10 * weight)));

    // Sizes of eight decades, a few of thirty, and zeros.
    private static Tensor Drawn(long count) => randn(count) * (3 * randn(count)).exp() * (10 * randn(count) * rand(count).lt(0.01)).exp() * rand(count).gt(0.1);

    private static AdamWState Zeros(MomentFormat format, long count, Tensor? master)
    {
        var numbers = AdamWOperator.TypeOf(format);
        long blocks = (count + EightBitCode.Block - 1) / EightBitCode.Block;
        bool scaled = format == MomentFormat.EightBit;
        return new AdamWState(format, zeros(count, numbers), zeros(count, numbers), scaled ? zeros(blocks) : null, scaled ? zeros(blocks) : null, master);
    }

    private static byte[] Changed(AdamWRange range) =>
        [.. new[] { range.Weight[(int)range.First..], range.State.Mean, range.State.Spread, range.State.MeanScale, range.State.SpreadScale, range.State.Master }.OfType<Tensor>().SelectMany(t => TensorMemory.Bytes(t).ToArray())];

    /// <summary>The program, built once.</summary>
    public sealed class Program : IDisposable
    {
        private readonly TemporaryFolder _folder = new();
        private readonly string? _program;

        public Program() => _program = Emulator.HasCompiler() ? Emulator.Build("adamw", "", _folder) : null;

        internal byte[] Step(string types, AdamWRange[] ranges, long[] offsets)
        {
            string path = _folder["ranges"];
            using (var file = File.Create(path))
            {
                foreach (var (range, offset) in ranges.Zip(offsets))
                {
                    file.Write(MemoryMarshal.AsBytes<long>([range.Count, range.First, offset]));
                    file.Write(MemoryMarshal.AsBytes([range.Step]));
                    file.Write(TensorMemory.Bytes(range.Gradient[(int)range.First..]));
                    file.Write(Changed(range));
                }
            }

            Emulator.Run(_program!, [$"adamw_{types}", path]);
            return File.ReadAllBytes(path);
        }

        public void Dispose() => _folder.Dispose();
    }
}
