using System.Text.Json.Nodes;
using T2R.Generation;
using T2R.Mixers;
using T2R.Models;
using T2R.Ops.GatedSlot;
using T2R.Tests.Checkpoints;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Models;

public class MistralParityTests
{
    private static readonly long[] Ids = [1, 17, 5, 33, 59, 0, 17, 17, 8, 41, 26, 3, 50, 12, 7, 44, 29, 2, 31, 19, 6];

    [Theory]
    [InlineData(GatedSlotForm.Chunk)]
    [InlineData(GatedSlotForm.Recurrent)]
    public void A_sharded_bf16_folder_with_grouped_heads_and_a_window_shorter_than_the_text_gives_the_reference_logits(GatedSlotForm form)
    {
        using var folder = new TemporaryFolder();
        var model = new TinyModel(new TinyShape { Window = 5, HeadDim = 6, Layers = 4 }, ScalarType.BFloat16);
        model.Save(folder["m"], maxShardBytes: 20_000);
        Assert.True(Directory.GetFiles(folder["m"], "*.safetensors").Length > 2);
        AssertParity(model, folder["m"], form);
    }

    [Theory]
    [InlineData(ScalarType.Float32, "torch_dtype", "float32")]
    [InlineData(ScalarType.Float16, "torch_dtype", "float16")]
    [InlineData(ScalarType.BFloat16, "dtype", "bfloat16")]
    [InlineData(ScalarType.Float64, "dtype", "float64")]
    public void Weights_of_every_dtype_give_the_reference_logits(ScalarType dtype, string key, string name)
    {
        using var folder = new TemporaryFolder();
        var model = new TinyModel(new TinyShape(), dtype);
        model.Config.Remove("torch_dtype");
        model.Config[key] = name;
        model.Save(folder["m"]);
        AssertParity(model, folder["m"], GatedSlotForm.Chunk);
        using var opened = ModelFolder.Open(folder["m"]);
        Assert.Equal(dtype, opened.Dtype);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_tied_and_an_untied_head_give_the_reference_logits(bool tied)
    {
        using var folder = new TemporaryFolder();
        var model = new TinyModel(new TinyShape { Tied = tied });
        model.Save(folder["m"]);
        AssertParity(model, folder["m"], GatedSlotForm.Chunk);
    }

    [Fact]
    public void Theta_under_rope_parameters_gives_the_reference_logits()
    {
        using var folder = new TemporaryFolder();
        var model = new TinyModel(new TinyShape { Theta = 500 });
        model.Config.Remove("rope_theta");
        model.Config["rope_parameters"] = new JsonObject { ["rope_type"] = "default", ["rope_theta"] = 500.0 };
        model.Save(folder["m"]);
        AssertParity(model, folder["m"], GatedSlotForm.Chunk);
    }

    [Theory]
    [InlineData("linear")]
    [InlineData("llama3")]
    public void Scaled_rotary_positions_give_the_reference_logits_written_either_way(string type)
    {
        // In 40 positions the frequencies 1, 0.32, 0.1 and 0.03 turn 6.4, 2.0, 0.6 and 0.2 times: kept, blended, slowed and slowed.
        var shape = type == "linear"
            ? new TinyShape { Scaling = new LinearRopeScaling(2.5) }
            : new TinyShape { Theta = 100, Scaling = new Llama3RopeScaling(8, 1, 4, 40) };
        using var folder = new TemporaryFolder();
        var model = new TinyModel(shape);
        model.Config["model_type"] = "llama";
        model.Save(folder["old"]);
        AssertParity(model, folder["old"], GatedSlotForm.Chunk);
        double[] scaled = new ReferenceModel(model).Logits(Ids)[^1], plain = new ReferenceModel(new TinyModel(shape with { Scaling = null })).Logits(Ids)[^1];
        Assert.True(scaled.Zip(plain, (a, b) => Math.Abs(a - b)).Max() > 0.01);

        var parameters = model.Config["rope_scaling"]!.DeepClone().AsObject();
        parameters.Remove("type");
        parameters["rope_type"] = type;
        parameters["rope_theta"] = shape.Theta;
        model.Config.Remove("rope_scaling");
        model.Config.Remove("rope_theta");
        model.Config["rope_parameters"] = parameters;
        model.Save(folder["new"]);
        AssertParity(model, folder["new"], GatedSlotForm.Recurrent);
    }

    [Fact]
    public void One_key_head_for_all_and_one_for_each_query_head_give_the_reference_logits()
    {
        foreach (int keyValueHeads in new[] { 1, 4 })
        {
            using var folder = new TemporaryFolder();
            var model = new TinyModel(new TinyShape { KeyValueHeads = keyValueHeads });
            model.Save(folder["m"]);
            AssertParity(model, folder["m"], GatedSlotForm.Recurrent);
        }
    }

    private static void AssertParity(TinyModel model, string folder, GatedSlotForm form)
    {
        using var scope = NewDisposeScope();
        using var opened = ModelFolder.Open(folder);
        Assert.Empty(opened.Warnings);
        using var loaded = opened.Load(CPU, ScalarType.Float32);
        using var logits_1TV = AllLogits.Of(loaded, tensor(Ids, [1, Ids.Length]), form);
        LogitsAssert.Close(new ReferenceModel(model).Logits(Ids), logits_1TV[0]);
    }
}
