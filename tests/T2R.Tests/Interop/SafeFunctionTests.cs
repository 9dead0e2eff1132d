using System.Runtime.InteropServices;
using T2R.Interop;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Interop;

public class SafeFunctionTests
{
    [Fact]
    public void Gradients_pass_through()
    {
        using var scope = torch.NewDisposeScope();
        var x = torch.ones(3).requires_grad_(true);
        var (twice, thrice) = Multiples.Of(x);
        Autograd.Backward([(twice + thrice).sum()]);
        Assert.Equal([5f, 5f, 5f], x.grad!.data<float>().ToArray());
    }

    [Fact]
    public void An_output_that_nobody_uses_is_no_trouble()
    {
        using var scope = torch.NewDisposeScope();
        var x = torch.ones(3).requires_grad_(true);
        Tensor twice;
        using (torch.NewDisposeScope())
        {
            twice = Multiples.Of(x).Twice.MoveToOuterDisposeScope();
        }

        Autograd.Backward([twice.sum()]);
        Assert.Equal([2f, 2f, 2f], x.grad!.data<float>().ToArray());
    }

    [Fact]
    public void A_leaf_gets_the_gradient_itself_and_no_copy_and_sums_in_place()
    {
        using var scope = torch.NewDisposeScope();
        var (x, y) = (torch.ones(3).requires_grad_(true), torch.ones(3).requires_grad_(true));
        Autograd.Backward([Handed.Of(x).sum()]);
        Assert.Equal(Handed.Address, TensorMemory.DataPointer(x.grad!));
        nint first = Handed.Address;
        Autograd.Backward([(Handed.Of(x) + Handed.Of(y)).sum()]);
        Assert.Equal(first, TensorMemory.DataPointer(x.grad!));
        Assert.Equal([14f, 14f, 14f], x.grad!.data<float>().ToArray());
        Assert.Equal([7f, 7f, 7f], y.grad!.data<float>().ToArray());
    }

    [Fact]
    public void A_leaf_whose_handle_is_gone_gets_its_gradient_all_the_same()
    {
        using var scope = torch.NewDisposeScope();
        var x = torch.ones(3).requires_grad_(true);
        Tensor y;
        using (var other = x.contiguous())
        {
            y = Handed.Of(other);
        }

        Autograd.Backward([y.sum()]);
        Assert.Equal([7f, 7f, 7f], x.grad!.data<float>().ToArray());
    }

    [Fact]
    public void An_exception_in_a_backward_reaches_the_caller()
    {
        using var scope = torch.NewDisposeScope();
        var x = torch.ones(3, 2).requires_grad_(true);
        var thrown = Assert.Throws<InvalidOperationException>(() => Autograd.Backward([Broken.Of(x).sum()]));
        Assert.Equal("the kernel failed", thrown.Message);
        Assert.Throws<ExternalException>(() => Broken.Of(x).sum().backward());
        Assert.Null(x.grad);
    }

    [Fact]
    public void An_exception_in_a_forward_reaches_the_caller()
    {
        using var scope = torch.NewDisposeScope();
        var x = torch.ones(3).requires_grad_(true);
        Assert.Equal("no memory", Assert.Throws<InsufficientMemoryException>(() => Unable.Of(x)).Message);
        using (torch.no_grad())
        {
            Assert.Throws<InsufficientMemoryException>(() => Unable.Of(x));
        }
    }

    [Fact]
    public void Fifty_steps_leave_no_tensors_behind()
    {
        long Count(int steps)
        {
            for (int i = 0; i < steps; i++)
            {
                using var scope = torch.NewDisposeScope();
                var x = torch.ones(64).requires_grad_(true);
                var y = Enumerable.Range(0, 4).Aggregate(x, (y, _) => Multiples.Of(y).Twice);
                Autograd.Backward([y.sum()]);
            }

            return Tensor.TotalCount;
        }

        TensorCount.Settled();
        long before = Count(1);
        Assert.Equal(before, Count(50));
    }

    private sealed class Multiples : SafeFunction<Multiples>
    {
        internal static (Tensor Twice, Tensor Thrice) Of(Tensor x) => Call(x) is [var twice, var thrice] ? (twice, thrice) : throw new InvalidOperationException();

        protected override List<Tensor> ComputeOutputs(torch.autograd.AutogradContext context, object?[] inputs) => [(Tensor)inputs[0]! * 2, (Tensor)inputs[0]! * 3];

        protected override List<Tensor?> ComputeGradients(torch.autograd.AutogradContext context, List<Tensor?> gradients)
        {
            var twice = gradients[0] is { } a ? a * 2 : null;
            var thrice = gradients[1] is { } b ? b * 3 : null;
            return [twice is null ? thrice : thrice is null ? twice : twice + thrice];
        }
    }

    private sealed class Handed : SafeFunction<Handed>
    {
        internal static nint Address { get; private set; }

        internal static Tensor Of(Tensor x) => Call(x)[0];

        protected override List<Tensor> ComputeOutputs(torch.autograd.AutogradContext context, object?[] inputs) => [(Tensor)inputs[0]! * 7];

        protected override List<Tensor?> ComputeGradients(torch.autograd.AutogradContext context, List<Tensor?> gradients)
        {
            var result = gradients[0]! * 7;
            Address = TensorMemory.DataPointer(result);
            return [result];
        }
    }

    private sealed class Broken : SafeFunction<Broken>
    {
        internal static Tensor Of(Tensor x) => Call(x, null, 7)[0];

        protected override List<Tensor> ComputeOutputs(torch.autograd.AutogradContext context, object?[] inputs) => [(Tensor)inputs[0]! * 2];

        protected override List<Tensor?> ComputeGradients(torch.autograd.AutogradContext context, List<Tensor?> gradients) => throw new InvalidOperationException("the kernel failed");
    }

    private sealed class Unable : SafeFunction<Unable>
    {
        internal static Tensor Of(Tensor x) => Call(x)[0];

        protected override List<Tensor> ComputeOutputs(torch.autograd.AutogradContext context, object?[] inputs) => throw new InsufficientMemoryException("no memory");

        protected override List<Tensor?> ComputeGradients(torch.autograd.AutogradContext context, List<Tensor?> gradients) => [null];
    }
}
