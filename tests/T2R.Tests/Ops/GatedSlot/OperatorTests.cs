using T2R.Ops.GatedSlot;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.GatedSlot;

public class OperatorTests
{
    [Theory]
    [InlineData(GatedSlotForm.Reference)]
    [InlineData(GatedSlotForm.Chunk)]
    [InlineData(GatedSlotForm.Recurrent)]
    public void In_bf16_the_state_stays_fp32_and_the_output_is_bf16(GatedSlotForm form)
    {
        using var scope = torch.NewDisposeScope();
        var x = OperatorCase.Random(70, 10).Inputs;
        var (q, k, v) = (x["q"].to(ScalarType.BFloat16), x["k"].to(ScalarType.BFloat16), x["v"].to(ScalarType.BFloat16));
        var (s, g) = (x["s"].to(ScalarType.Float32), x["g"].to(ScalarType.Float32));
        var (output, final) = GatedSlotOperator.Apply(form, q, k, v, s, g);
        var (expected, _) = GatedSlotOperator.Apply(
            GatedSlotForm.Reference, q.to(ScalarType.Float64), k.to(ScalarType.Float64), v.to(ScalarType.Float64), x["s"], x["g"]);
        Assert.Equal((ScalarType.BFloat16, ScalarType.Float32), (output.dtype, final.Values.dtype));
        Assert.InRange(OperatorCase.RelativeError(output, expected), 0, 4e-3);
    }

    [Fact]
    public void Wrong_shapes_are_named()
    {
        using var scope = torch.NewDisposeScope();
        Tensor Zeros(params long[] shape) => torch.zeros(shape);
        string Message(Tensor q, Tensor k, Tensor g, Tensor? starts = null) => Assert.Throws<ArgumentException>(
            () => GatedSlotOperator.Apply(GatedSlotForm.Chunk, q, k, Zeros(1, 5, 2, 8), Zeros(1, 5, 2, 3), g, documentStarts: starts)).Message;

        Assert.Equal("3 query heads are not a multiple of 2 key-value heads", Message(Zeros(1, 5, 3, 4), Zeros(1, 5, 2, 4), Zeros(1, 5, 2, 3)));
        Assert.Equal("k has shape [1, 6, 2, 4], expected [1, 5, 2, 4]", Message(Zeros(1, 5, 4, 4), Zeros(1, 6, 2, 4), Zeros(1, 5, 2, 3)));
        Assert.Equal("g has shape [1, 5, 2, 2], expected [1, 5, 2, 3]", Message(Zeros(1, 5, 4, 4), Zeros(1, 5, 2, 4), Zeros(1, 5, 2, 2)));
        Assert.Equal("documentStarts must be bool, found Float32", Message(Zeros(1, 5, 4, 4), Zeros(1, 5, 2, 4), Zeros(1, 5, 2, 3), Zeros(1, 5)));
    }

    [Fact]
    public void Wrong_shapes_before_the_maps_are_named()
    {
        using var scope = torch.NewDisposeScope();

        // In fp64, which no kernel takes: what runs in segments would see a short tensor's part alone.
        Tensor Zeros(params long[] shape) => torch.zeros(shape, ScalarType.Float64);
        string Message(Tensor q, Tensor k, Tensor f, GatedSlotState? initial = null) =>
            Assert.Throws<ArgumentException>(() => GatedSlotMaps.Apply(GatedSlotForm.Chunk, q, k, k, f, 16, initial)).Message;

        Assert.Equal("there must be at least one token", Message(Zeros(1, 0, 4, 4), Zeros(1, 0, 2, 4), Zeros(1, 0, 2, 3)));
        Assert.Equal("k has shape [1, 6, 2, 4], expected [1, 5, 2, 4]", Message(Zeros(1, 5, 4, 4), Zeros(1, 6, 2, 4), Zeros(1, 5, 2, 3)));
        Assert.Equal("f has shape [1, 7, 2, 3], expected [1, 5, 2, 3]", Message(Zeros(1, 5, 4, 4), Zeros(1, 5, 2, 4), Zeros(1, 7, 2, 3)));
        Assert.Equal("f is on meta, and q on cpu", Message(Zeros(1, 5, 4, 4), Zeros(1, 5, 2, 4), torch.zeros([1, 5, 2, 3], ScalarType.Float64, torch.META)));
    }

    [Fact]
    public void A_state_of_the_wrong_type_is_named()
    {
        using var scope = torch.NewDisposeScope();
        var x = OperatorCase.Random(4, 1).Inputs.ToDictionary(i => i.Key, i => i.Value.to(ScalarType.Float32));
        var state = new GatedSlotState(x["hk0"].to(ScalarType.Float64), x["hv0"]);
        var thrown = Assert.Throws<ArgumentException>(() => GatedSlotOperator.Apply(GatedSlotForm.Chunk, x["q"], x["k"], x["v"], x["s"], x["g"], state));
        Assert.Equal("the initial state is Float64 and Float32, expected Float32 for values of Float32", thrown.Message);
    }

    [Theory]
    [InlineData(GatedSlotForm.Reference)]
    [InlineData(GatedSlotForm.Chunk)]
    [InlineData(GatedSlotForm.Recurrent)]
    public void A_document_start_makes_what_came_before_irrelevant(GatedSlotForm form)
    {
        using var scope = torch.NewDisposeScope();
        var x = OperatorCase.Random(60, 10, batch: 1).Inputs.ToDictionary(i => i.Key, i => i.Value.to(ScalarType.Float32));
        Tensor Late(string name) => x[name].slice(1, 25, 60, 1);
        var starts = torch.zeros([1, 60], ScalarType.Bool);
        starts[0, 25] = true;
        var initial = new GatedSlotState(x["hk0"], x["hv0"]);
        var (whole, _) = GatedSlotOperator.Apply(form, x["q"], x["k"], x["v"], x["s"], x["g"], initial, starts);
        var (late, _) = GatedSlotOperator.Apply(form, Late("q"), Late("k"), Late("v"), Late("s"), Late("g"));
        Assert.InRange(OperatorCase.RelativeError(whole.slice(1, 25, 60, 1), late.to(ScalarType.Float64)), 0, 1e-6);
    }
}
