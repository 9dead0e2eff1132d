using System.Text.Json.Nodes;
using T2R.Conversion;
using T2R.Generation;
using T2R.Models;
using T2R.Ops.GatedSlot;
using T2R.Ops.Quantized;
using T2R.Tests.Checkpoints;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Models;

public sealed class QuantizedModelTests : IDisposable
{
    private static readonly TinyShape Shape = new() { HybridLayers = [], Hidden = 64, HeadDim = 16, Slots = 16, Intermediate = 128, Layers = 2 };
    private static readonly Tensor Ids = tensor([.. Enumerable.Range(0, 70).Select(i => (long)((i * i * 7) + (3 * i)) % 60)], [1, 70]).DetachFromDisposeScope();

    private readonly TemporaryFolder _folder = new();
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    public static TheoryData<string> Formats => ["int8", "int4"];

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_model_in_few_bits_gives_the_logits_of_the_numbers_that_they_mean(string name)
    {
        var format = QuantizedFormat.Parse(name);
        var plain = new TinyModel(Shape);
        plain.Save(_folder["m"]);
        using var folder = ModelFolder.Open(_folder["m"]);
        using var model = folder.Load(CPU, ScalarType.Float32, format);
        foreach (string stored in plain.Weights.Keys.Where(k => k.EndsWith("_proj.weight", StringComparison.Ordinal)).ToArray())
        {
            using var weight = Quantizer.Quantize(tensor(plain.Weights[stored].Values, plain.Weights[stored].Shape), format, stored);
            plain.Weights[stored] = new TinyTensor(plain.Weights[stored].Shape, [.. weight.Dequantize(ScalarType.Float64).data<double>()]);
        }

        foreach (var form in Enum.GetValues<GatedSlotForm>())
        {
            using var logits_1TV = AllLogits.Of(model, Ids, form, cancellation: TestContext.Current.CancellationToken);
            LogitsAssert.Close(new ReferenceModel(plain).Logits([.. Ids.data<long>()]), logits_1TV[0]);
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_stored_model_loads_as_the_one_that_was_rounded_on_loading(string name)
    {
        var format = QuantizedFormat.Parse(name);
        string path = Store(format, ScalarType.BFloat16);
        using ModelFolder source = ModelFolder.Open(_folder["m"]), stored = ModelFolder.Open(path);
        Assert.Empty(stored.Warnings);
        Assert.Equal(format, stored.Config.Quantization);
        using CausalLM rounded = source.Load(CPU, ScalarType.BFloat16, format), loaded = stored.Load(CPU, ScalarType.BFloat16), same = stored.Load(CPU, ScalarType.BFloat16, format);
        Assert.Equal(rounded.Weights.ByteCount, loaded.Weights.ByteCount);
        Assert.Equal(stored.TotalBytes + rounded.Weights.All.Where(w => w.Spec.IsNorm).Sum(w => w.Spec.Count * 2), loaded.Weights.ByteCount);
        foreach (var spec in loaded.Weights.Specs)
        {
            if (spec.IsProjection)
            {
                Assert.True(rounded.Weights.Quantized(spec.Name)!.Codes.equal(loaded.Weights.Quantized(spec.Name)!.Codes).all().item<bool>());
                Assert.True(rounded.Weights.Quantized(spec.Name)!.Scales.equal(loaded.Weights.Quantized(spec.Name)!.Scales).all().item<bool>());
            }
            else
            {
                Assert.Null(loaded.Weights.Quantized(spec.Name));
                Assert.True(rounded.Weights[spec.Name].equal(loaded.Weights[spec.Name]).all().item<bool>());
            }
        }
    }

    [Fact]
    public void A_folder_says_what_it_holds()
    {
        string path = Store(QuantizedFormat.FourBit, ScalarType.BFloat16, [new MeasuredFigure("perplexity in int4, over 3 predictions", "7.001")]);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(path, "config.json")))!["quantization_config"]!;
        Assert.Equal(("t2r", 4, 64), ((string)config["quant_method"]!, (int)config["bits"]!, (int)config["group_size"]!));
        using var folder = ModelFolder.Open(path);
        Assert.Equal((ScalarType.Byte, "64, 32"), (folder.Tensors["model.layers.0.attn.q_proj.weight"].Dtype, string.Join(", ", folder.Tensors["model.layers.0.attn.q_proj.weight"].Shape)));
        Assert.Equal((ScalarType.BFloat16, "64, 1"), (folder.Tensors["model.layers.0.attn.q_proj.weight_scale"].Dtype, string.Join(", ", folder.Tensors["model.layers.0.attn.q_proj.weight_scale"].Shape)));
        Assert.Equal(ScalarType.BFloat16, folder.Tensors["lm_head.weight"].Dtype);
        string card = File.ReadAllText(Path.Combine(path, "README.md"));
        Assert.Contains("| dtype | int4 with a bfloat16 scale for every 64 weights", card);
        Assert.Contains("| perplexity in int4, over 3 predictions | 7.001 |", card);
        Assert.Contains("no other program reads", card);
        Assert.DoesNotContain("from_pretrained", card);
    }

    [Fact]
    public void What_holds_few_bits_can_be_run_and_nothing_else()
    {
        string path = Store(QuantizedFormat.FourBit, ScalarType.Float32);
        using var folder = ModelFolder.Open(path);
        string error = Assert.Throws<UserErrorException>(() => Exporter.Export(
            folder.Config, folder.Read, _folder["again"], new ExportOptions(), cancellation: TestContext.Current.CancellationToken)).Message;
        Assert.Contains("which can be run and nothing else", error);
        Assert.False(Directory.Exists(_folder["again"]));
        Assert.Contains("int8 cannot be made", Assert.Throws<UserErrorException>(() => folder.Load(CPU, ScalarType.Float32, QuantizedFormat.EightBit)).Message);
    }

    [Fact]
    public void Shapes_that_groups_do_not_divide_are_refused_before_anything_is_written()
    {
        new TinyModel(Shape with { Intermediate = 100 }).Save(_folder["odd"]);
        using var folder = ModelFolder.Open(_folder["odd"]);
        Assert.Contains("blocks.0.mlp.down_proj.weight has 100 columns", Assert.Throws<UserErrorException>(() => folder.Load(CPU, ScalarType.Float32, QuantizedFormat.FourBit)).Message);
        var options = new ExportOptions { Quantization = QuantizedFormat.EightBit };
        Assert.Throws<UserErrorException>(() => Exporter.Export(folder.Config, folder.Read, _folder["out"], options, cancellation: TestContext.Current.CancellationToken));
        Assert.False(Directory.Exists(_folder["out"]));
    }

    [Fact]
    public void A_weight_that_is_no_number_is_named_and_nothing_is_left()
    {
        var broken = new TinyModel(Shape);
        broken.Weights["model.layers.1.mlp.up_proj.weight"].Values[5] = double.NaN;
        broken.Save(_folder["broken"]);
        using var folder = ModelFolder.Open(_folder["broken"]);
        long before = TensorCount.Settled();
        Assert.Contains("blocks.1.mlp.up_proj.weight", Assert.Throws<UserErrorException>(() => folder.Load(CPU, ScalarType.Float32, QuantizedFormat.FourBit)).Message);
        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void Transformers_are_refused()
    {
        new TinyModel(Shape with { HybridLayers = null }).Save(_folder["transformer"]);
        using var folder = ModelFolder.Open(_folder["transformer"]);
        Assert.Contains("softmax attention", Assert.Throws<UserErrorException>(() => folder.Load(CPU, ScalarType.Float32, QuantizedFormat.FourBit)).Message);
    }

    [Theory]
    [InlineData("quant_method", "\"gptq\"")]
    [InlineData("bits", "3")]
    [InlineData("group_size", "128")]
    [InlineData("bits", "8")]
    public void Another_way_to_quantise_is_refused_by_name(string key, string value)
    {
        string path = Path.Combine(Store(QuantizedFormat.FourBit, ScalarType.Float32), "config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!;
        config["quantization_config"]![key] = JsonNode.Parse(value);
        File.WriteAllText(path, config.ToJsonString());
        string error = string.Join("\n", Assert.Throws<UserErrorException>(() => ModelFolder.Open(Path.GetDirectoryName(path)!)).Problems);
        Assert.Contains(value == "8" ? "q_proj.weight' is U8 [64, 32], expected I8 [64, 64] by quantization_config" : $"quantization_config.{key}", error);
    }

    [Fact]
    public void A_tensor_of_scales_that_is_missing_is_named()
    {
        string path = Store(QuantizedFormat.FourBit, ScalarType.Float32);
        string config = File.ReadAllText(Path.Combine(path, "config.json"));
        new TinyModel(Shape).Save(_folder["plain"]);
        File.WriteAllText(Path.Combine(_folder["plain"], "config.json"), config);
        string error = string.Join("\n", Assert.Throws<UserErrorException>(() => ModelFolder.Open(_folder["plain"])).Problems);
        Assert.Contains("'model.layers.1.mlp.up_proj.weight_scale' is missing", error);
        Assert.Contains("'model.layers.1.mlp.up_proj.weight' is F32 [128, 64], expected U8 [128, 32]", error);
    }

    private string Store(QuantizedFormat format, ScalarType dtype, IReadOnlyList<MeasuredFigure>? figures = null)
    {
        new TinyModel(Shape, dtype).Save(_folder["m"]);
        using var source = ModelFolder.Open(_folder["m"]);
        var options = new ExportOptions { Dtype = dtype, Quantization = format, Figures = figures ?? [] };
        Exporter.Export(source.Config, source.Read, _folder["stored"], options, cancellation: TestContext.Current.CancellationToken);
        return _folder["stored"];
    }
}
