using System.Text.Json.Nodes;
using T2R.Conversion;
using T2R.Mixers;
using T2R.Models;
using T2R.Tests.Checkpoints;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Conversion;

public class ConverterTests
{
    private static readonly ConversionOptions Options = new() { Slots = 6 };

    [Fact]
    public void Every_tensor_of_either_side_stands_once_in_the_ledger()
    {
        using var temporary = new TemporaryFolder();
        using var source = ModelFolder.Open(TinyTransformer.Write(temporary["source"]));
        var ledger = Converter.Plan(source, Options).Ledger.Entries;

        Assert.Equal(source.Tensors.Keys.Order(), ledger.Select(e => e.Source).OfType<string>().Order());
        Convert(temporary);
        using var target = ModelFolder.Open(temporary["target"]);
        Assert.Equal(target.Tensors.Keys.Order(), ledger.Select(e => e.Target).OfType<string>().Order());
        Assert.Equal(6, ledger.Count(e => e.Action == LedgerAction.New));
        Assert.Equal(3, ledger.Count(e => e.Action == LedgerAction.Adapted));
        Assert.DoesNotContain(ledger, e => e.Action == LedgerAction.Dropped);
    }

    [Fact]
    public void What_is_copied_keeps_every_bit()
    {
        using var scope = NewDisposeScope();
        using var temporary = new TemporaryFolder();
        Convert(temporary);
        using var source = ModelFolder.Open(temporary["source"]);
        using var target = ModelFolder.Open(temporary["target"]);
        var adapted = Converter.Plan(source, Options).Initialization.Parts.Keys;
        var kept = WeightLayout.Of(source.Config).Where(s => !adapted.Any(part => s.Name.EndsWith(part + ".weight", StringComparison.Ordinal))).ToList();

        Assert.Equal(27, kept.Count);
        Assert.All(kept, spec =>
        {
            Assert.Equal(ScalarType.BFloat16, target.Read(spec).dtype);
            Assert.True(source.Read(spec).equal(target.Read(spec)).all().item<bool>(), spec.Name);
        });
    }

    [Fact]
    public void The_same_conversion_twice_gives_the_same_bytes_and_another_seed_others()
    {
        using var temporary = new TemporaryFolder();
        Convert(temporary, target: "a");
        Convert(temporary, target: "b");
        Convert(temporary, Options with { Seed = 2 }, target: "c");

        Assert.Equal(TinyTransformer.WeightsOf(temporary["a"]), TinyTransformer.WeightsOf(temporary["b"]));
        Assert.Equal(File.ReadAllText(Path.Combine(temporary["a"], "conversion.json")), File.ReadAllText(Path.Combine(temporary["b"], "conversion.json")));
        Assert.NotEqual(TinyTransformer.WeightsOf(temporary["a"]), TinyTransformer.WeightsOf(temporary["c"]));
    }

    [Theory]
    [InlineData("spread")]
    [InlineData("random")]
    public void The_converted_folder_opens_as_a_recurrent_model_with_finite_logits(string initialization)
    {
        using var scope = NewDisposeScope();
        using var temporary = new TemporaryFolder();
        Convert(temporary, Options with { Initialization = initialization });
        using var folder = ModelFolder.Open(temporary["target"]);
        Assert.Equal("GSA", folder.Format.Name);
        Assert.Empty(folder.Warnings);
        Assert.True(folder.Config.IsRecurrent);

        using var model = folder.Load(CPU, ScalarType.Float32);
        using var context = new SequenceContext(1, 20, CPU);
        var logits = model.Forward(arange(20, ScalarType.Int64).unsqueeze(0), context);
        Assert.True(logits.isfinite().all().item<bool>());
    }

    [Fact]
    public void The_config_has_the_keys_and_the_tensors_the_names_and_shapes_of_the_peer()
    {
        using var temporary = new TemporaryFolder();
        Convert(temporary, Options with { Initialization = "random" });
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(temporary["target"], "config.json")))!;
        Assert.Equal("gsa", (string?)config["model_type"]);
        Assert.Equal("GSAForCausalLM", (string?)config["architectures"]![0]);
        Assert.Equal((32, 3, 4, 2, 6), ((int)config["hidden_size"]!, (int)config["num_hidden_layers"]!, (int)config["num_heads"]!, (int)config["num_kv_heads"]!, (int)config["num_slots"]!));
        Assert.Equal((1, 1, 8, "swish"), ((int)config["expand_k"]!, (int)config["expand_v"]!, (int)config["gate_logit_normalizer"]!, (string?)config["feature_map"]));
        Assert.Equal((false, false, true, true), ((bool)config["use_short_conv"]!, (bool)config["use_output_gate"]!, (bool)config["use_norm"]!, (bool)config["elementwise_affine"]!));
        Assert.Equal("bfloat16", (string?)config["torch_dtype"]);

        using var folder = ModelFolder.Open(temporary["target"]);
        Assert.Equal([48, 32], folder.Tensors["model.embeddings.weight"].Shape);
        Assert.Equal([12, 32], folder.Tensors["model.layers.2.attn.f_proj.weight"].Shape);
        Assert.Equal([32], folder.Tensors["model.layers.0.attn.g_norm.weight"].Shape);
        Assert.Equal([32], folder.Tensors["model.layers.0.attn_norm.weight"].Shape);
        Assert.Equal([16, 32], folder.Tensors["model.layers.0.attn.v_proj.weight"].Shape);
        Assert.Equal([40, 32], folder.Tensors["model.layers.1.mlp.up_proj.weight"].Shape);
        Assert.All(folder.Tensors.Values, t => Assert.Equal(ScalarType.BFloat16, t.Dtype));
    }

    [Fact]
    public void Named_layers_keep_softmax_attention_untouched()
    {
        using var scope = NewDisposeScope();
        using var temporary = new TemporaryFolder();
        var config = TinyTransformer.Config with { Mixers = [.. Enumerable.Repeat<MixerConfig>(new SoftmaxAttentionConfig(4, 2, 8, 5000, 9), 3)] };
        Convert(temporary, Options with { SoftmaxLayers = [2, 0, 2] }, config: config);
        using var source = ModelFolder.Open(temporary["source"]);
        using var target = ModelFolder.Open(temporary["target"]);

        Assert.Equal([config.Mixers[0], new GatedSlotAttentionConfig(4, 2, 8, 6), config.Mixers[2]], target.Config.Mixers);
        Assert.False(target.Config.IsRecurrent);
        var values = WeightLayout.OfBlock(source.Config, 2).Single(s => s.Name.Contains("v_proj", StringComparison.Ordinal));
        Assert.True(source.Read(values).equal(target.Read(values)).all().item<bool>());
    }

    [Fact]
    public void A_tied_head_stays_tied_and_a_stored_copy_of_it_is_dropped()
    {
        using var scope = NewDisposeScope();
        using var temporary = new TemporaryFolder();
        TinyTransformer.Write(temporary["source"], TinyTransformer.Config with { TieWordEmbeddings = true });
        using (var before = ModelFolder.Open(temporary["source"]))
        {
            Assert.DoesNotContain(Converter.Plan(before, Options).Ledger.Entries, e => e.Action == LedgerAction.Dropped);
        }

        StoreTheHead(temporary["source"]);
        using var source = ModelFolder.Open(temporary["source"]);
        var dropped = Assert.Single(Converter.Plan(source, Options).Ledger.Entries, e => e.Action == LedgerAction.Dropped);
        Assert.Equal("lm_head.weight", dropped.Source);
        Convert(temporary);
        using var target = ModelFolder.Open(temporary["target"]);
        Assert.True(target.Config.TieWordEmbeddings);
        Assert.DoesNotContain("lm_head.weight", target.Tensors.Keys);
    }

    [Fact]
    public void A_dtype_that_is_asked_for_is_given_to_every_tensor()
    {
        using var scope = NewDisposeScope();
        using var temporary = new TemporaryFolder();
        Convert(temporary, Options with { Dtype = ScalarType.Float32 });
        using var source = ModelFolder.Open(temporary["source"]);
        using var target = ModelFolder.Open(temporary["target"]);
        Assert.All(target.Tensors.Values, t => Assert.Equal(ScalarType.Float32, t.Dtype));
        var spec = WeightLayout.Of(source.Config)[0];
        Assert.True(source.Read(spec).to(ScalarType.Float32).equal(target.Read(spec)).all().item<bool>());
    }

    [Fact]
    public void The_tokenizers_files_and_the_generation_config_go_along()
    {
        using var temporary = new TemporaryFolder();
        TinyTransformer.Write(temporary["source"]);
        File.WriteAllText(Path.Combine(temporary["source"], "tokenizer.json"), "{}");
        File.WriteAllText(Path.Combine(temporary["source"], "generation_config.json"), """{"top_p": 0.9}""");
        Convert(temporary);
        Assert.Equal("{}", File.ReadAllText(Path.Combine(temporary["target"], "tokenizer.json")));
        Assert.Equal("""{"top_p": 0.9}""", File.ReadAllText(Path.Combine(temporary["target"], "generation_config.json")));
        Assert.Equal(
            ["README.md", "config.json", "conversion.json", "generation_config.json", "model.safetensors", "tokenizer.json"],
            Directory.EnumerateFiles(temporary["target"]).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_conversion_that_is_cancelled_half_way_leaves_nothing()
    {
        using var temporary = new TemporaryFolder();
        using var source = ModelFolder.Open(TinyTransformer.Write(temporary["source"]));
        using var stop = new CancellationTokenSource();
        var reports = new List<StageProgress>();
        var progress = new Callback(p =>
        {
            reports.Add(p);
            if (reports.Count == 10)
            {
                stop.Cancel();
            }
        });

        Assert.Throws<OperationCanceledException>(() => Converter.Run(Converter.Plan(source, Options), temporary["new/target"], progress: progress, cancellation: stop.Token));
        Assert.Equal(10, reports.Count);
        Assert.True(reports[9].Done < reports[9].Total);
        Assert.Equal(["source"], temporary.Names);
    }

    [Fact]
    public void Progress_ends_at_all_the_bytes()
    {
        using var temporary = new TemporaryFolder();
        using var source = ModelFolder.Open(TinyTransformer.Write(temporary["source"]));
        var plan = Converter.Plan(source, Options);
        StageProgress last = default;
        Converter.Run(plan, temporary["target"], progress: new Callback(p => last = p), cancellation: TestContext.Current.CancellationToken);
        Assert.Equal((plan.TargetBytes, plan.TargetBytes, "bytes"), (last.Done, last.Total, last.Unit));
    }

    [Fact]
    public void No_tensor_is_left_in_memory()
    {
        using var temporary = new TemporaryFolder();
        Convert(temporary, target: "a");
        long before = TensorCount.Settled();
        Convert(temporary, target: "b");
        Assert.Equal(before, Tensor.TotalCount);
    }

    internal static void Convert(TemporaryFolder temporary, ConversionOptions? options = null, ModelConfig? config = null, string target = "target")
    {
        if (!Directory.Exists(temporary["source"]))
        {
            TinyTransformer.Write(temporary["source"], config);
        }

        using var source = ModelFolder.Open(temporary["source"]);
        Converter.Run(Converter.Plan(source, options ?? Options), temporary[target], cancellation: TestContext.Current.CancellationToken);
    }

    internal static void StoreTheHead(string folder)
    {
        string path = Path.Combine(folder, "model.safetensors");
        using var file = T2R.Checkpoints.SafeTensorsFile.Open(path);
        var tensors = file.Entries.Select(e => (new T2R.Checkpoints.TensorSpec(e.Name, e.Dtype, e.Shape), e.Name)).ToList();
        var embedding = file["model.embed_tokens.weight"];
        tensors.Add((new T2R.Checkpoints.TensorSpec("lm_head.weight", embedding.Dtype, embedding.Shape), embedding.Name));
        T2R.Checkpoints.AtomicFile.Write(path, stream =>
        {
            var writer = new T2R.Checkpoints.SafeTensorsWriter(stream, tensors.Select(t => t.Item1));
            foreach (var (spec, stored) in tensors)
            {
                writer.Write(spec.Name, file.Read(stored));
            }

            writer.Finish();
        });
    }

    private sealed class Callback(Action<StageProgress> report) : IProgress<StageProgress>
    {
        public void Report(StageProgress value) => report(value);
    }
}
