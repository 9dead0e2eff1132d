using T2R.Interop;
using T2R.Ops.GatedSlot;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.GatedSlot;

public class CpuChunkTests
{
    [Fact]
    public void Results_have_the_same_bits_whatever_the_number_of_threads()
    {
        using var scope = torch.NewDisposeScope();
        var c = OperatorCase.Random(200, 10, keyValueHeads: 3, documentStarts: [77]);
        int threads = torch.get_num_threads();
        try
        {
            torch.set_num_threads(1);
            var alone = c.Run(CpuChunk.Apply, ScalarType.Float32);
            torch.set_num_threads(4);
            var team = c.Run(CpuChunk.Apply, ScalarType.Float32);
            Assert.All(alone, r => AssertSame(r.Value, team[r.Key]));
        }
        finally
        {
            torch.set_num_threads(threads);
        }
    }

    [Fact]
    public void Without_gradients_the_results_are_the_same()
    {
        using var scope = torch.NewDisposeScope();
        var x = Inputs(100);
        var (output, final) = Call(x);
        using (torch.no_grad())
        {
            var (plain, plainFinal) = Call(x);
            AssertSame(output, plain);
            AssertSame(final.Keys, plainFinal.Keys);
            AssertSame(final.Values, plainFinal.Values);
            Assert.False(plain.requires_grad);
        }

        Assert.True(output.requires_grad);
    }

    [Fact]
    public void Views_with_any_strides_give_what_their_copies_give()
    {
        using var scope = torch.NewDisposeScope();
        var x = Inputs(50);
        var turned = x.Select(t => t.detach().transpose(1, 2).contiguous().transpose(1, 2).requires_grad_(true)).ToArray();
        var (expected, actual) = (Call(x).Output, Call(turned).Output);
        Autograd.Backward([expected.sum()]);
        Autograd.Backward([actual.transpose(1, 2).contiguous().sum()]);
        AssertSame(expected, actual);
        Assert.All(x.Zip(turned), pair => AssertSame(pair.First.grad!, pair.Second.grad!));
    }

    [Fact]
    public void A_state_alone_may_be_asked_for_gradients()
    {
        using var scope = torch.NewDisposeScope();
        var x = Inputs(20);
        Autograd.Backward([Call(x).Final.Values.sum()]);
        Assert.Equal(0f, x[0].grad!.abs().sum().item<float>());
        Assert.NotEqual(0f, x[2].grad!.abs().sum().item<float>());
    }

    [Fact]
    public void Steps_leave_no_tensors_behind()
    {
        long Count(int steps)
        {
            for (int i = 0; i < steps; i++)
            {
                using var scope = torch.NewDisposeScope();
                Autograd.Backward([Call(Inputs(40)).Output.sum()]);
            }

            return Tensor.TotalCount;
        }

        TensorCount.Settled();
        long before = Count(2);
        Assert.Equal(before, Count(20));
    }

    private static void AssertSame(Tensor expected, Tensor actual) => Assert.Equal(0, (expected != actual).sum().item<long>());

    private static Tensor[] Inputs(int length)
    {
        var x = OperatorCase.Random(length, 10).Inputs;
        return [.. new[] { "q", "k", "v", "s", "g" }.Select(n => x[n].to(ScalarType.Float32).detach().requires_grad_(true))];
    }

    private static (Tensor Output, GatedSlotState Final) Call(Tensor[] x) => GatedSlotOperator.Apply(GatedSlotForm.Chunk, x[0], x[1], x[2], x[3], x[4]);
}
