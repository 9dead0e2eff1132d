using T2R.Models;
using TorchSharp;
using Xunit;

namespace T2R.Tests.Models;

public class DeviceNameTests
{
    [Fact]
    public void The_CPU_is_always_there() => Assert.Equal(DeviceType.CPU, DeviceName.Parse("cpu").type);

    [Theory]
    [InlineData("")]
    [InlineData("tpu")]
    [InlineData("cpu:0")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    [InlineData("cuda:1:1")]
    [InlineData("CUDA")]
    public void A_name_of_no_device_is_refused(string name) =>
        Assert.Equal([$"'{name}' is not a device; expected cpu, cuda or cuda:N."], Assert.Throws<UserErrorException>(() => DeviceName.Parse(name)).Problems);

    [Fact]
    public void A_card_that_is_not_there_is_refused() =>
        Assert.Matches("'cuda:99'.*(t2r doctor|cuda:0)", Assert.Throws<UserErrorException>(() => DeviceName.Parse("cuda:99")).Message);
}
