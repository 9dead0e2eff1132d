using T2R.Conversion;
using T2R.Mixers;
using T2R.Models;
using T2R.Tests.Checkpoints;
using T2R.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training;

/// <summary>Adapters beside projections: trained in their place, merged when a model is written.</summary>
public class LoraTests
{
    private static readonly LoraConfig Lora = new(3, 6, ["blocks.*.mixer.*_proj.weight", "blocks.1.mlp.*_proj.weight"]);

    [Fact]
    public void A_model_starts_as_it_was_and_its_layout_has_two_weights_more_for_each_target()
    {
        using var scope = NewDisposeScope();
        using var plain = Tiny.Model(Config, 1);
        using var adapted = Tiny.Model(Config, 1).WithAdapters(Lora, seed: 2);
        using var batch = Tiny.Batch(2, 24);
        Assert.True(Logits(plain, batch).equal(Logits(adapted, batch)).all().item<bool>());

        // Four projections of each mixer, f_proj left out, and three of one MLP.
        Assert.Equal(2 * ((4 * 2) + 3), adapted.Weights.Specs.Count(s => LoraConfig.IsAdapter(s.Name)));
        Assert.DoesNotContain(adapted.Weights.Specs, s => s.Name.Contains("f_proj.lora", StringComparison.Ordinal));
        Assert.Equal(0, adapted.Weights["blocks.0.mixer.q_proj.lora_b.weight"].abs().max().item<float>());
        Assert.True(adapted.Weights["blocks.0.mixer.q_proj.lora_a.weight"].std().item<float>() > 0.05);
    }

    [Theory]
    [InlineData(RecomputePolicy.None)]
    [InlineData(RecomputePolicy.Selective)]
    [InlineData(RecomputePolicy.Full)]
    public void Gradients_are_those_of_the_merged_weights_by_the_chain_rule(RecomputePolicy policy)
    {
        using var scope = NewDisposeScope();
        var options = Tiny.Options(1) with { Recompute = policy, Lora = Lora };
        using var model = Moved();
        using var batch = Tiny.Batch(2, 24);
        using var gradients = new Gradients();
        using (var stage = new StageRun(StagePlan.Of(options)[0], options, new TrainingInputs(model, Tiny.Text(1)), gradients, recorded: 1))
        {
            stage.Loss.Backward(batch, 1).Dispose();
        }

        // The same weights merged, each a plain matrix: dA = σ Bᵀ dW, dB = σ dW Aᵀ.
        using var merged = Merged(model);
        using var dense = new Gradients();
        var plain = options with { Lora = null };
        using (var stage = new StageRun(StagePlan.Of(plain)[0], plain, new TrainingInputs(merged, Tiny.Text(1)), dense, recorded: 0))
        {
            stage.Loss.Backward(batch, 1).Dispose();
        }

        foreach (var spec in merged.Weights.Specs)
        {
            if (Lora.Adapts(spec))
            {
                var (a, b) = Lora.Of(spec);
                Assert.InRange(Tiny.RelativeError(gradients[a.Name]!, Lora.Scale * model.Weights[b.Name].t().matmul(dense[spec.Name]!)), 0, 1e-9);
                Assert.InRange(Tiny.RelativeError(gradients[b.Name]!, Lora.Scale * dense[spec.Name]!.matmul(model.Weights[a.Name].t())), 0, 1e-9);
            }

            bool isNew = spec.Name.Contains("f_proj", StringComparison.Ordinal) || spec.Name.Contains("g_norm", StringComparison.Ordinal);
            Assert.Equal(isNew, gradients[spec.Name] is not null);
            if (isNew)
            {
                Assert.InRange(Tiny.RelativeError(gradients[spec.Name]!, dense[spec.Name]!), 0, 1e-9);
            }
        }
    }

    [Fact]
    public void An_exported_model_is_the_adapted_one()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var adapted = Moved(ScalarType.Float32);
        Exporter.Export(adapted, folder["out"], new ExportOptions { Dtype = ScalarType.Float32 }, cancellation: TestContext.Current.CancellationToken);
        using var opened = ModelFolder.Open(folder["out"]);
        using var exported = opened.Load(CPU, ScalarType.Float32);
        using var batch = Tiny.Batch(2, 24);
        Assert.Null(exported.Config.Lora);
        Assert.InRange(Tiny.RelativeError(Logits(exported, batch), Logits(adapted, batch)), 0, 1e-5);
        using var plain = Tiny.Model(Config, 1);
        Assert.True(Tiny.RelativeError(Logits(plain, batch), Logits(adapted, batch)) > 1e-3);
    }

    [Fact]
    public void A_stopped_run_goes_on_to_the_byte_and_its_checkpoints_hold_what_is_trained()
    {
        var options = Tiny.Options(8) with { Lora = Lora, Recompute = RecomputePolicy.Full };
        using var straight = new TemporaryFolder();
        using var stopped = new TemporaryFolder();
        var expected = Train(straight.Path, options, stopAt: null);
        Assert.Null(Train(stopped.Path, options, stopAt: 3));
        Assert.Empty(Tiny.Changed(expected!, Train(stopped.Path, options, stopAt: null)!));

        using var start = Tiny.Model(Config, 1);
        var began = Tiny.Bytes(start.Weights);
        Assert.All(began.Keys, name => Assert.Equal(
            name.Contains("f_proj", StringComparison.Ordinal) || name.Contains("g_norm", StringComparison.Ordinal), !began[name].AsSpan().SequenceEqual(expected![name])));
        using var checkpoint = RunCheckpoint.Newest(straight.Path, Config, _ => { })!;
        Assert.True(checkpoint.Holds("blocks.0.mixer.q_proj.lora_a.weight"));
        Assert.False(checkpoint.Holds("blocks.0.mixer.q_proj.weight"));
    }

    [Fact]
    public void Targets_that_cannot_have_an_adapter_are_refused()
    {
        var problems = new Problems();
        (Tiny.Options(1) with { Lora = new LoraConfig(0, 1, ["embedding.weight", "blocks.*.mixer.f_proj.weight", "blocks.*.mixer.w_proj.weight"]) }).Check(Config, problems);
        var refused = Assert.Throws<UserErrorException>(problems.ThrowIfAny);
        Assert.Equal(4, refused.Problems.Count);
        Assert.Contains("blocks.*.mixer.q_proj.weight", refused.Problems[3], StringComparison.Ordinal);
    }

    private static ModelConfig Config => Tiny.Config(false, Tiny.Slots, Tiny.Slots) with { BosTokenId = 1 };

    // Adapters away from their start, as after some training.
    private static CausalLM Moved(ScalarType dtype = ScalarType.Float64)
    {
        var model = Tiny.Model(Config, 1, dtype).WithAdapters(Lora, seed: 2);
        using var _ = no_grad();
        using var generator = new Generator(3, CPU);
        foreach (var (spec, tensor) in model.Weights.All.Where(w => w.Spec.Name.Contains("lora_b", StringComparison.Ordinal)))
        {
            using var drawn = empty([.. spec.Shape]).normal_(0, 0.2, generator);
            tensor.copy_(drawn);
        }

        return model;
    }

    private static CausalLM Merged(CausalLM model)
    {
        using var _ = no_grad();
        return new CausalLM(Config, new WeightSet(Config, spec =>
        {
            if (!Lora.Adapts(spec))
            {
                return model.Weights[spec.Name].clone();
            }

            var (a, b) = Lora.Of(spec);
            return model.Weights[spec.Name] + (Lora.Scale * model.Weights[b.Name].matmul(model.Weights[a.Name]));
        }));
    }

    private static Tensor Logits(CausalLM model, T2R.Data.Batch batch)
    {
        using var _ = no_grad();
        using var context = new SequenceContext(batch.Ids.shape[0], batch.Ids.shape[1], CPU, batch.DocumentStarts);
        return model.Forward(batch.Ids, context);
    }

    private static Dictionary<string, byte[]>? Train(string path, TrainingOptions options, int? stopAt)
    {
        using var model = Tiny.Model(Config, 1).WithAdapters(options.Lora, seed: 2);
        using var run = RunFolder.Open(path);
        using var stop = new CancellationTokenSource();
        using var trainer = new Trainer(options, new TrainingInputs(model, Tiny.Text(1)), run, [new Recorder(m => { if (m.Step == stopAt) { stop.Cancel(); } })]);
        if (stopAt is not null)
        {
            Assert.Throws<OperationCanceledException>(() => trainer.Run(stop.Token));
            return null;
        }

        trainer.Run(TestContext.Current.CancellationToken);
        return Tiny.Bytes(model.Weights);
    }
}
