using BenchmarkDotNet.Attributes;
using T2R.Interop;
using T2R.Ops.GatedSlot;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Benchmarks;

/// <summary>
/// Forward and backward of the mixers' operators over 4 096 tokens, cut into ever longer sequences: 6 query heads, 2 key-value heads, K = V = 32,
/// 32 slots. Softmax attention's time grows with the length; gated slot attention's does not.
/// </summary>
[Config(typeof(InThisProcess))]
public class OperatorBenchmark
{
    private const int Tokens = 4096, Groups = 3, KeyValueHeads = 2, HeadDim = 32, Slots = 32;
    private Tensor _q = null!, _k = null!, _v = null!, _s = null!, _g = null!, _gradient = null!;

    /// <summary>Tokens of one sequence.</summary>
    [Params(512, 1024, 2048, 4096)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        torch.random.manual_seed(1);
        int batch = Tokens / Length;
        _q = torch.randn(batch, Length, KeyValueHeads * Groups, HeadDim).requires_grad_(true);
        _k = torch.randn(batch, Length, KeyValueHeads, HeadDim).requires_grad_(true);
        _v = torch.randn(batch, Length, KeyValueHeads, HeadDim).requires_grad_(true);
        _g = torch.rand(batch, Length, KeyValueHeads, Slots).neg().requires_grad_(true);
        _s = _g.detach().expm1().neg().requires_grad_(true);
        _gradient = torch.randn_like(_q);
    }

    [Benchmark(Baseline = true)]
    public void Softmax()
    {
        using var scope = torch.NewDisposeScope();
        Tensor Heads(Tensor x_BTHK, int repeats) => x_BTHK.transpose(1, 2).repeat_interleave(repeats, 1);
        var output = nn.functional.scaled_dot_product_attention(_q.transpose(1, 2), Heads(_k, Groups), Heads(_v, Groups), is_casual: true);
        Autograd.Backward([output.transpose(1, 2)], [_gradient]);
    }

    [Benchmark]
    public void GatedSlot()
    {
        using var scope = torch.NewDisposeScope();
        Autograd.Backward([GatedSlotOperator.Apply(GatedSlotForm.Chunk, _q, _k, _v, _s, _g).Output], [_gradient]);
    }
}
