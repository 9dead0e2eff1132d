using T2R.Data;
using T2R.Mixers;
using T2R.Models;
using T2R.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training;

/// <summary>Gradients made block by block and chunk by chunk, against autograd over the whole model at once, in fp64.</summary>
public class GradientTests
{
    public static TheoryData<bool, RecomputePolicy, double, double> Cases => new()
    {
        { false, RecomputePolicy.None, 0, 1 },
        { false, RecomputePolicy.Full, 0, 1 },
        { true, RecomputePolicy.None, 0, 1 },
        { true, RecomputePolicy.Full, 0.3, 1 },
        { false, RecomputePolicy.Selective, 0, 1 },
        { true, RecomputePolicy.Selective, 0.3, 1 },
        { false, RecomputePolicy.None, 0.3, 2.5 },
        { true, RecomputePolicy.None, 1, 0.7 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Block_by_block_gradients_are_those_of_the_whole_model(bool tied, RecomputePolicy policy, double weight, double temperature)
    {
        using var scope = NewDisposeScope();
        using var model = Tiny.Model(Tiny.Config(tied, Tiny.Softmax, Tiny.Slots, Tiny.Slots), 1, ScalarType.Float64);
        using var teacher = Tiny.Model(Tiny.Config(tied, Tiny.Softmax, Tiny.Softmax, Tiny.Softmax), 2, ScalarType.Float64);
        var distillation = weight > 0 ? new DistillationOptions { Weight = weight, Temperature = temperature } : null;
        var options = Tiny.Options(1) with { Recompute = policy, Distillation = distillation };
        var batch = Tiny.Batch(3, 40);

        using var gradients = new Gradients();
        double loss = Accumulate(options, model, teacher, new TrainingStage("all"), gradients, batch);
        var (expectedLoss, expected) = Plain(options, model, teacher, batch);

        Assert.Equal(expectedLoss, loss, 1e-12 * Math.Abs(expectedLoss));
        foreach (var (name, gradient) in expected)
        {
            Assert.True(gradients[name] is not null, $"{name} got no gradient");
            Assert.InRange(Tiny.RelativeError(gradients[name]!, gradient), 0, 1e-11);
        }
    }

    [Fact]
    public void Backward_stops_where_nothing_below_is_trained()
    {
        using var scope = NewDisposeScope();
        using var model = Tiny.Model(Tiny.Config(false, Tiny.Softmax, Tiny.Slots, Tiny.Slots), 1, ScalarType.Float64);
        var batch = Tiny.Batch(2, 20);
        var stage = new TrainingStage("some") { Trained = ["blocks.1.mlp.*", "norm.weight"] };
        using var gradients = new Gradients();
        Accumulate(Tiny.Options(1), model, null, stage, gradients, batch);
        var (_, expected) = Plain(Tiny.Options(1), model, null, batch);

        string[] trained = ["blocks.1.mlp.gate_proj.weight", "blocks.1.mlp.up_proj.weight", "blocks.1.mlp.down_proj.weight", "norm.weight"];
        foreach (string name in expected.Keys)
        {
            if (trained.Contains(name))
            {
                Assert.InRange(Tiny.RelativeError(gradients[name]!, expected[name]), 0, 1e-11);
            }
            else
            {
                Assert.Null(gradients[name]);
            }
        }
    }

    [Fact]
    public void Micro_batches_add_up_to_the_gradient_of_one_big_batch()
    {
        using var scope = NewDisposeScope();
        using var model = Tiny.Model(Tiny.Config(true, Tiny.Softmax, Tiny.Slots), 1, ScalarType.Float64);
        var batch = Tiny.Batch(4, 24);
        using var whole = new Gradients();
        using var parts = new Gradients();
        double loss = Accumulate(Tiny.Options(1), model, null, new TrainingStage("all"), whole, batch);
        double partLoss = Accumulate(
            Tiny.Options(1), model, null, new TrainingStage("all"), parts,
            new Batch(batch.Ids.narrow(0, 0, 2), batch.DocumentStarts.narrow(0, 0, 2)), new Batch(batch.Ids.narrow(0, 2, 2), batch.DocumentStarts.narrow(0, 2, 2)));

        Assert.Equal(loss, partLoss, 1e-12);
        foreach (var spec in model.Weights.Specs)
        {
            Assert.InRange(Tiny.RelativeError(parts[spec.Name]!, whole[spec.Name]!), 0, 1e-12);
        }
    }

    [Fact]
    public void Imitating_mixers_is_local_and_has_the_gradients_of_its_formula()
    {
        using var scope = NewDisposeScope();
        using var model = Tiny.Model(Tiny.Config(false, Tiny.Slots, Tiny.Softmax, Tiny.Slots), 1, ScalarType.Float64);
        using var teacher = Tiny.Model(Tiny.Config(false, Tiny.Softmax, Tiny.Softmax, Tiny.Softmax), 2, ScalarType.Float64);
        var batch = Tiny.Batch(2, 24);
        using var gradients = new Gradients();
        double loss = Accumulate(Tiny.Options(1), model, teacher, new TrainingStage("mixers") { Objective = StageObjective.Mixers }, gradients, batch);

        SetTrained(model, true);
        using var context = new SequenceContext(2, 24, CPU, batch.DocumentStarts);
        var x_BTD = teacher.Embed(batch.Ids);
        var expected = zeros(1, ScalarType.Float64);
        for (int i = 0; i < 3; i++)
        {
            var target_BTD = teacher.Blocks[i].Mixer.Forward(teacher.Blocks[i].MixerInput(x_BTD), context, null);
            if (i != 1)
            {
                var y_BTD = model.Blocks[i].Mixer.Forward(model.Blocks[i].MixerInput(x_BTD), context, null);
                expected += (y_BTD - target_BTD).square().mean() / target_BTD.square().mean() / 2;
            }

            x_BTD = teacher.Blocks[i].Forward(x_BTD, context);
        }

        expected.backward();
        Assert.Equal(expected.item<double>(), loss, 1e-12);
        foreach (var (spec, tensor) in model.Weights.All)
        {
            bool trained = spec.Name.StartsWith("blocks.0.mixer.", StringComparison.Ordinal) || spec.Name.StartsWith("blocks.2.mixer.", StringComparison.Ordinal);
            Assert.Equal(trained, gradients[spec.Name] is not null);
            if (trained)
            {
                Assert.InRange(Tiny.RelativeError(gradients[spec.Name]!, tensor.grad!), 0, 1e-11);
            }
        }
    }

    [Fact]
    public void The_norm_is_that_of_all_gradients_together()
    {
        using var scope = NewDisposeScope();
        using var gradients = new Gradients();
        gradients.Add("a", tensor(new[] { 3f, 0f }));
        gradients.Add("b", tensor(new[] { 4f }).to(ScalarType.BFloat16));
        Assert.Equal(25, gradients.SquaredNorm()!.item<double>(), 1e-9);
        gradients.Add("b", tensor(new[] { 8f }));
        Assert.Equal(9 + 144, gradients.SquaredNorm()!.item<double>(), 1e-5);
        Assert.Equal(ScalarType.Float32, gradients["b"]!.dtype);
    }

    private static double Accumulate(TrainingOptions options, CausalLM model, CausalLM? teacher, TrainingStage stage, Gradients gradients, params Batch[] batches)
    {
        using var run = new StageRun(new StagePlan(stage, 0, 0, 1), options, new TrainingInputs(model, Tiny.Text(1), Teacher: teacher), gradients, recorded: 2);
        var losses = batches.Select(b => run.Loss.Backward(b, 1.0 / batches.Length)).ToList();
        return StepLoss.Mean(losses).Loss;
    }

    // The formulas as they stand in the documentation, over whole logits, by autograd.
    private static (double Loss, Dictionary<string, Tensor> Gradients) Plain(TrainingOptions options, CausalLM model, CausalLM? teacher, Batch batch)
    {
        SetTrained(model, true);
        using var context = new SequenceContext(batch.Ids.shape[0], batch.Ids.shape[1], CPU, batch.DocumentStarts);
        long last = batch.Ids.shape[1] - 1;
        var logits = model.Forward(batch.Ids, context).narrow(1, 0, last).flatten(0, 1);
        var loss = nn.functional.cross_entropy(logits, batch.Ids.narrow(1, 1, last).flatten());
        if (options.Distillation is { } d)
        {
            var teacherLogits = teacher!.Forward(batch.Ids, context).narrow(1, 0, last).flatten(0, 1);
            var q = (teacherLogits / d.Temperature).softmax(-1);
            var kl = (q * (q.log() - (logits / d.Temperature).log_softmax(-1))).sum(-1).mean();
            loss = (loss * (1 - d.Weight)) + (kl * d.Weight * d.Temperature * d.Temperature);
        }

        loss.backward();
        return (loss.item<double>(), model.Weights.All.ToDictionary(w => w.Spec.Name, w => w.Tensor.grad!));
    }

    private static void SetTrained(CausalLM model, bool trained)
    {
        foreach (var (_, tensor) in model.Weights.All)
        {
            tensor.requires_grad = trained;
        }
    }
}
