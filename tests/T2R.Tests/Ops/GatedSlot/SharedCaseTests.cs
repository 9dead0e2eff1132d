using T2R.Checkpoints;
using T2R.Ops.GatedSlot;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.GatedSlot;

public class SharedCaseTests
{
    [Theory]
    [MemberData(nameof(FormsTests.Names), MemberType = typeof(FormsTests))]
    public void A_case_from_an_independent_float64_recurrence_is_met(string form) => Meets(FormsTests.Forms[form], ScalarType.Float32, form);

    [Fact]
    public void The_reference_meets_it_too() => Meets(Reference.Apply, ScalarType.Float64, "reference");

    private static void Meets(Form form, ScalarType dtype, string name)
    {
        using var scope = torch.NewDisposeScope();
        using var file = SafeTensorsFile.Open(SharedData.Path("gsa-op.safetensors"));
        Dictionary<string, Tensor> Read(params string[] names) => names.ToDictionary(n => n, n => file.Read(n).to(ScalarType.Float64));
        var cotangents = Read("do", "dhkt", "dhvt").ToDictionary(c => c.Key[1..], c => c.Value);
        var results = new OperatorCase(Read("q", "k", "v", "s", "g", "hk0", "hv0"), cotangents, null).Run(form, dtype);
        FormsTests.Compare(results, Read("o", "hkt", "hvt", "dq", "dk", "dv", "ds", "dg", "dhk0", "dhv0"), 1e-5, 1e-4, name);
    }
}
