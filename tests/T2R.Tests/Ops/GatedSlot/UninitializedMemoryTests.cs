using System.Runtime.InteropServices;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.GatedSlot;

/// <summary>In torch's deterministic mode new memory is full of NaN: what a form does not write shows.</summary>
public sealed class UninitializedMemoryTests : IDisposable
{
    public UninitializedMemoryTests() => Deterministic(true);

    public void Dispose() => Deterministic(false);

    [Theory]
    [MemberData(nameof(FormsTests.Names), MemberType = typeof(FormsTests))]
    public void Every_element_is_written(string form)
    {
        using var scope = torch.NewDisposeScope();
        Assert.True(torch.empty(100).isnan().all().item<bool>(), "new memory is not NaN: this test would see nothing");
        foreach (int length in new[] { 1, 33, 64, 70 })
        {
            var c = OperatorCase.Random(length, 10, keyDim: 9, slots: 5, valueDim: 19);
            Assert.All(c.Run(FormsTests.Forms[form], ScalarType.Float32), r => Assert.False(r.Value.isnan().any().item<bool>(), r.Key));
        }
    }

    // TorchSharp does not have the switch; these are at::globalContext() and at::Context::setDeterministicAlgorithms(bool, bool).
    private static void Deterministic(bool on) => SetDeterministicAlgorithms(GlobalContext(), on, false);

    [DllImport("libtorch_cpu", EntryPoint = "_ZN2at13globalContextEv")]
    private static extern nint GlobalContext();

    [DllImport("libtorch_cpu", EntryPoint = "_ZN2at7Context26setDeterministicAlgorithmsEbb")]
    private static extern void SetDeterministicAlgorithms(nint context, [MarshalAs(UnmanagedType.U1)] bool on, [MarshalAs(UnmanagedType.U1)] bool warnOnly);
}
