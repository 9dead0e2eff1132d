using System.Globalization;
using T2R.Interop;
using T2R.Ops;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>
/// The norm and SwiGLU by their kernels in bf16, against float64 on the CPU: outputs and gradients within 5e-3 in norm, those that a chain of products and passes
/// rounds four to six times (1.7e-3 each) within 8e-3; and the same bits each time.
/// </summary>
public class FusedTests
{
    private const double Bar = 5e-3, ChainBar = 8e-3, Epsilon = 1e-5;

    // Rows, width.
    public static TheoryData<int, int> Rows => new() { { 1, 8 }, { 3, 72 }, { 257, 1024 }, { 1001, 4096 }, { 77, 5120 }, { 65, 8192 }, { 9, 12 }, { 5, 8200 } };

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [MemberData(nameof(Rows))]
    public void The_norm_gives_the_formula(int rows, int width) => Agree(Norm(rows, width), x => RmsNorm.Apply(x[0], x[1], Epsilon));

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [MemberData(nameof(Rows))]
    public void The_norm_of_silu_gives_the_formula(int rows, int width) => Agree(Norm(rows, width), x => RmsNorm.ApplyToSilu(x[0], x[1], Epsilon));

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void The_norm_of_rows_that_do_not_lie_side_by_side_gives_the_formula() =>
        Agree(Norm(33, 64), x => RmsNorm.Apply(cat([x[0], x[0]], 1).narrow(1, 4, 64), x[1], Epsilon));

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void The_norm_adds_to_the_gradient_that_a_leaf_has()
    {
        using var scope = NewDisposeScope();
        var inputs = Norm(257, 1024);
        var past = Half(randn(257, 1024));
        Tensor Gradient(Tensor x, Tensor weight, Tensor before)
        {
            var leaf = x.detach().requires_grad_();
            leaf.grad = before;
            Autograd.Backward([RmsNorm.Apply(leaf, weight, Epsilon)], [x]);
            return leaf.grad!;
        }

        var expected = Gradient(Wide(inputs[0]), Wide(inputs[1]), Wide(past));
        Check("dx", Gradient(inputs[0].cuda(), inputs[1].cuda(), past.cuda()), expected, Bar);
    }

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(33, 64, 48)]
    [InlineData(2500, 512, 256)]
    public void The_norm_of_silu_before_a_product_gives_the_formula(int rows, int width, int outputs)
    {
        using var scope = NewDisposeScope();
        manual_seed(rows);
        Agree([Half(randn(rows, width)), randn(width) + 1, Weight(outputs, width)], x => SiluNormLinear.Apply(x[0], x[1], Epsilon, x[2]), ChainBar);
    }

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(false)]
    [InlineData(true)]
    public void What_stands_between_products_gives_the_formula(bool inPlace)
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        Tensor[] inputs = [.. Enumerable.Range(0, 3).Select(_ => Half(randn(333, 1032) * 2))];
        var (a, b, dh) = (Wide(inputs[0]), Wide(inputs[1]), Wide(inputs[2]));
        var (sigma, u) = (a.sigmoid(), nn.functional.silu(a));
        var card = inputs.Select(x => x.cuda()).ToArray();
        Assert.True(CudaSwiGlu.Takes(card[0], 1032));
        var product = empty_like(card[0]);
        CudaSwiGlu.Forward(card[0], card[1], product);
        Check("h", product, u * b, Bar);
        var (da, db) = inPlace ? (card[0], card[1]) : (empty_like(card[0]), empty_like(card[0]));
        CudaSwiGlu.Backward(card[0], card[1], card[2], wantsProduct: true, da, db);
        Check("h again", card[2], u * b, Bar);
        Check("da", da, dh * b * sigma * ((a * (1 - sigma)) + 1), Bar);
        Check("db", db, dh * u, Bar);
    }

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(33, 64, 96)]
    [InlineData(1301, 128, 14336)]
    public void SwiGlu_gives_the_formula_with_a_graph_and_with_tapes(int rows, int width, int inner)
    {
        using var scope = NewDisposeScope();
        var inputs = Mlp(rows, width, inner);
        Agree(inputs, x => SwiGlu.Apply(x[0], x[1], Epsilon, x[2], x[3], x[4]), ChainBar);
        Tensor[] card = [.. inputs.Select(x => x.cuda())];
        var expected = Run(card, x => SwiGlu.Apply(x[0], x[1], Epsilon, x[2], x[3], x[4]));
        foreach (bool recorded in new[] { false, true })
        {
            var actual = Run(card, x =>
            {
                using var tape = recorded ? Recorded(x) : Tape.Blank();
                return SwiGlu.Apply(x[0], x[1], Epsilon, x[2], x[3], x[4], tape);
            });

            // A replay gives no output.
            foreach (var (i, (a, b)) in actual.Zip(expected).Index().Skip(1))
            {
                Check($"gradient {i}, {(recorded ? "recorded" : "not recorded")}", a, Wide(b).cpu(), ChainBar);
            }
        }
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void With_a_frozen_product_SwiGlu_gives_the_same_bits()
    {
        using var scope = NewDisposeScope();
        Tensor[] card = [.. Mlp(301, 64, 96).Select(x => x.cuda())];
        var whole = Run(card, x => SwiGlu.Apply(x[0], x[1], Epsilon, x[2], x[3], x[4]));
        var frozen = Run(card[..4], x => SwiGlu.Apply(x[0], x[1], Epsilon, x[2], x[3], card[4]));
        Same(whole[..5], frozen);
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void The_same_call_gives_the_same_bits()
    {
        using var scope = NewDisposeScope();
        Tensor[] norm = [.. Norm(3001, 1024).Select(x => x.cuda())], mlp = [.. Mlp(1301, 128, 14336).Select(x => x.cuda())];
        Tensor[] Once() => [.. Run(norm, x => RmsNorm.ApplyToSilu(x[0], x[1], Epsilon)), .. Run(mlp, x => SwiGlu.Apply(x[0], x[1], Epsilon, x[2], x[3], x[4]))];
        var first = Once();
        for (int i = 0; i < 10; i++)
        {
            using var inner = NewDisposeScope();
            Same(first, Once());
        }
    }

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(33, 96)]
    [InlineData(1001, 14336)]
    [InlineData(7, 12)]
    public void The_gated_product_by_itself_gives_the_formula(int rows, int inner)
    {
        using var scope = NewDisposeScope();
        manual_seed(rows);
        Agree([Half(randn(rows, inner)), Half(randn(rows, inner))], x => GatedProduct.Apply(x[0], x[1]));
    }

    private static Tensor[] Norm(int rows, int width)
    {
        manual_seed(rows);
        return [Half(randn(rows, width)), randn(width) + 1];
    }

    private static Tensor[] Mlp(int rows, int width, int inner)
    {
        manual_seed(rows);
        return [Half(randn(rows, width)), randn(width) + 1, Weight(inner, width), Weight(inner, width), Weight(width, inner)];
    }

    private static Tape Recorded(Tensor[] x)
    {
        using var off = no_grad();
        var tape = Tape.Record();
        SwiGlu.Apply(x[0], x[1], Epsilon, x[2], x[3], x[4], tape).Dispose();
        tape.Rewind();
        return tape;
    }

    private static void Agree(Tensor[] inputs, Func<Tensor[], Tensor> apply, double bar = Bar)
    {
        using var scope = NewDisposeScope();
        var actual = Run([.. inputs.Select(x => x.cuda())], apply);
        var expected = Run([.. inputs.Select(Wide)], apply);
        foreach (var (i, (a, b)) in actual.Zip(expected).Index())
        {
            Check(i == 0 ? "the output" : $"gradient {i}", a, b, bar);
        }
    }

    // The output and every gradient.
    private static Tensor[] Run(Tensor[] inputs, Func<Tensor[], Tensor> apply)
    {
        Tensor[] leaves = [.. inputs.Select(x => x.detach().requires_grad_())];
        var y = apply(leaves);
        manual_seed(7);
        using var gradient = Half(randn(y.shape)).to(y.dtype).to(y.device);
        Autograd.Backward([y], [gradient]);
        return [y.detach(), .. leaves.Select(x => x.grad!)];
    }

    private static void Check(string name, Tensor actual, Tensor expected, double bar)
    {
        using var a = Wide(actual).cpu();
        double error = ((a - expected).norm() / expected.norm()).ToDouble();
        Assert.True(error <= bar, string.Create(CultureInfo.InvariantCulture, $"{name} is {error:e2} off, allowed {bar:e0}"));
    }

    private static void Same(Tensor[] first, Tensor[] second) =>
        Assert.All(first.Zip(second), pair => Assert.True(pair.First.equal(pair.Second).all().item<bool>()));

    private static Tensor Weight(long rows, long columns) => Half(randn(rows, columns) / Math.Sqrt(columns));

    private static Tensor Half(Tensor x) => x.to(ScalarType.BFloat16);

    private static Tensor Wide(Tensor x) => x.to(ScalarType.Float64);
}
