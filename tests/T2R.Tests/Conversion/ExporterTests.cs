using System.Collections.Immutable;
using T2R.Conversion;
using T2R.Mixers;
using T2R.Models;
using T2R.Tests.Checkpoints;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Conversion;

public class ExporterTests
{
    [Fact]
    public void An_exported_model_opens_with_the_weights_it_had()
    {
        using var scope = NewDisposeScope();
        using var temporary = new TemporaryFolder();
        ConverterTests.Convert(temporary);
        File.WriteAllText(Path.Combine(temporary["target"], "tokenizer.json"), "{}");
        using var converted = ModelFolder.Open(temporary["target"]);
        using var model = converted.Load(CPU, ScalarType.Float32);
        model.Weights["blocks.1.mixer.f_proj.weight"].add_(0.001);
        Exporter.Export(model, temporary["export"], new ExportOptions
        {
            Origin = temporary["target"],
            Recipe = "training:\n  steps: 10",
            Figures = [new MeasuredFigure("perplexity", "12.3")],
        }, cancellation: TestContext.Current.CancellationToken);

        using var exported = ModelFolder.Open(temporary["export"]);
        Assert.Equal(converted.Config.Mixers, exported.Config.Mixers);
        Assert.All(model.Weights.All, w =>
        {
            Assert.Equal(ScalarType.Float32, exported.Read(w.Spec).dtype);
            Assert.True(w.Tensor.equal(exported.Read(w.Spec)).all().item<bool>(), w.Spec.Name);
        });
        Assert.True(File.Exists(Path.Combine(temporary["export"], "tokenizer.json")));
        Assert.Equal(File.ReadAllText(Path.Combine(temporary["target"], "conversion.json")), File.ReadAllText(Path.Combine(temporary["export"], "conversion.json")));
        string card = File.ReadAllText(Path.Combine(temporary["export"], "README.md"));
        Assert.Contains("```yaml\ntraining:\n  steps: 10\n```", card);
        Assert.Contains("| perplexity | 12.3 |", card);
    }

    [Fact]
    public void A_bf16_export_stores_everything_in_bf16()
    {
        using var temporary = new TemporaryFolder();
        ConverterTests.Convert(temporary);
        using var converted = ModelFolder.Open(temporary["target"]);
        using var model = converted.Load(CPU, ScalarType.Float32);
        Exporter.Export(model, temporary["export"], new ExportOptions { Dtype = ScalarType.BFloat16 }, cancellation: TestContext.Current.CancellationToken);
        using var exported = ModelFolder.Open(temporary["export"]);
        Assert.All(exported.Tensors.Values, t => Assert.Equal(ScalarType.BFloat16, t.Dtype));
        Assert.Equal(TinyTransformer.WeightsOf(temporary["target"]), TinyTransformer.WeightsOf(temporary["export"]));
    }

    [Fact]
    public void A_transformer_is_exported_as_a_transformer()
    {
        using var scope = NewDisposeScope();
        using var temporary = new TemporaryFolder();
        var config = TinyTransformer.Config with { Mixers = [.. Enumerable.Repeat<MixerConfig>(new SoftmaxAttentionConfig(4, 2, 16, 5000, 7), 3)], TieWordEmbeddings = true, BosTokenId = 3, EosTokenIds = [4, 5] };
        using var model = new CausalLM(config, WeightSet.Random(config, 1, CPU));
        Exporter.Export(model, temporary["export"], new ExportOptions(), cancellation: TestContext.Current.CancellationToken);
        using var exported = ModelFolder.Open(temporary["export"]);
        Assert.Empty(exported.Warnings);
        Assert.Equal(config.Mixers, exported.Config.Mixers);
        Assert.Equal(config.EosTokenIds, exported.Config.EosTokenIds);
        Assert.Equal(config with { Mixers = [], EosTokenIds = [] }, exported.Config with { Mixers = [], EosTokenIds = [] });
        Assert.Contains("MistralForCausalLM", File.ReadAllText(Path.Combine(temporary["export"], "README.md")));
    }

    [Fact]
    public void Scaled_positions_are_written_where_programs_heed_them()
    {
        using var temporary = new TemporaryFolder();
        RopeScaling[] scalings = [new LinearRopeScaling(2), new Llama3RopeScaling(8, 1, 4, 8192)];
        foreach (var scaling in scalings)
        {
            ImmutableArray<MixerConfig> mixers = [.. Enumerable.Repeat<MixerConfig>(new SoftmaxAttentionConfig(4, 2, 8, 10000, null, scaling), 3)];
            TinyTransformer.Write(temporary["transformer"], TinyTransformer.Config with { Mixers = mixers });
            using var exported = ModelFolder.Open(temporary["transformer"]);
            Assert.Equal(mixers, exported.Config.Mixers);
            Assert.Empty(exported.Warnings);
            Assert.Contains("\"LlamaForCausalLM\"", File.ReadAllText(temporary["transformer/config.json"]));

            var plan = Converter.Plan(exported, new ConversionOptions { SoftmaxLayers = [1] });
            Assert.Contains("attn.rope_scaling", Assert.Single(plan.Warnings));
            Assert.Empty(Converter.Plan(exported, new ConversionOptions()).Warnings);
            Converter.Run(plan, temporary["hybrid"], cancellation: TestContext.Current.CancellationToken);
            using var hybrid = ModelFolder.Open(temporary["hybrid"]);
            Assert.Equal(mixers[1], hybrid.Config.Mixers[1]);
            Assert.Contains("Not the same model in Python", File.ReadAllText(temporary["hybrid/README.md"]));
            Directory.Delete(temporary["transformer"], recursive: true);
            Directory.Delete(temporary["hybrid"], recursive: true);
        }
    }

    [Fact]
    public void A_random_folder_holds_the_weights_of_a_random_model()
    {
        using var temporary = new TemporaryFolder();
        TinyTransformer.Write(temporary["folder"], dtype: ScalarType.Float32);
        using var folder = ModelFolder.Open(temporary["folder"]);
        using var weights = WeightSet.Random(TinyTransformer.Config, 5, CPU);
        Assert.All(weights.All, w =>
        {
            using var view = folder.Read(w.Spec);
            using var same = view.equal(w.Tensor).all();
            Assert.True(same.item<bool>(), w.Spec.Name);
        });
    }

    [Fact]
    public void The_cards_fence_is_longer_than_any_in_the_recipe()
    {
        string card = new ModelCard { Name = "m", Config = TinyTransformer.Config, Dtype = ScalarType.Float32, Recipe = "a: |\n  ````\n  x" }.ToMarkdown();
        Assert.Contains("`````yaml\n", card);
    }
}
