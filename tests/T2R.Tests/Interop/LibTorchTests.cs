using TorchSharp;
using Xunit;

namespace T2R.Tests.Interop;

public class LibTorchTests
{
    [Fact]
    public void Backward_of_a_square_is_twice_its_argument()
    {
        using var scope = torch.NewDisposeScope();
        var x = torch.randn(4, 5).requires_grad_(true);
        (x * x).sum().backward();
        Assert.Equal(0f, (x.grad! - (2 * x)).abs().max().item<float>());
    }
}
