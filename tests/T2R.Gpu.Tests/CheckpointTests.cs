using T2R.Data;
using T2R.Interop;
using T2R.Mixers;
using T2R.Models;
using T2R.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

public class CheckpointTests
{
    private static readonly ModelConfig Config = new()
    {
        VocabularySize = 9001,
        HiddenSize = 1024,
        IntermediateSize = 1536,
        NormEpsilon = 1e-5,
        TieWordEmbeddings = false,
        MaxPositionEmbeddings = 512,
        Mixers = [new SoftmaxAttentionConfig(8, 2, 128, 10000, null), new GatedSlotAttentionConfig(8, 2, 128, 16)],
    };

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float32)]
    public void A_run_on_the_card_is_saved_as_it_is_and_goes_on_from_there(ScalarType dtype)
    {
        string folder = Directory.CreateTempSubdirectory("t2r-").FullName;
        try
        {
            var text = new TokenStream([.. Enumerable.Range(0, 40000).Select(i => i % 100 == 0 ? 1 : 2 + (i * 7 % 200))], beginId: 1);
            var options = new TrainingOptions { Steps = 4, WindowLength = 64, MicroBatchSize = 2, CheckpointEvery = 1, KeepLast = 5, LogEvery = 1, Groups = [new ParameterGroup("head.weight") { Frozen = true }] };
            using var model = Train(options);
            using (var checkpoint = RunCheckpoint.Open(RunFolder.Checkpoints(folder)[0], Config))
            {
                Assert.False(checkpoint.Holds("head.weight"));
                Assert.All(model.Weights.All.Where(w => w.Spec.Name != "head.weight"), w =>
                {
                    using var stored = checkpoint.Read(w.Spec.Name);
                    using var held = w.Tensor.cpu();
                    Assert.True(TensorMemory.Bytes(held).SequenceEqual(TensorMemory.Bytes(stored)), w.Spec.Name);
                });
            }

            // A run of no steps more: what the checkpoint says lies on the card afterwards, over the weights it began with.
            using var again = Train(options);
            Assert.All(model.Weights.All, w => Assert.True(w.Tensor.equal(again.Weights[w.Spec.Name]).all().item<bool>(), w.Spec.Name));
            using var longer = Train(options with { Steps = 6 });
            Assert.Contains(model.Weights.All, w => !w.Tensor.equal(longer.Weights[w.Spec.Name]).all().item<bool>());

            CausalLM Train(TrainingOptions options)
            {
                var model = new CausalLM(Config, WeightSet.Random(Config, 1, CUDA, dtype));
                using var run = RunFolder.Open(folder);
                using var trainer = new Trainer(options, new TrainingInputs(model, text), run);
                trainer.Run(TestContext.Current.CancellationToken);
                return model;
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void Moments_come_back_to_the_card_as_they_were()
    {
        string folder = Directory.CreateTempSubdirectory("t2r-").FullName;
        try
        {
            var text = new TokenStream([.. Enumerable.Range(0, 40000).Select(i => i % 100 == 0 ? 1 : 2 + (i * 7 % 200))], beginId: 1);
            var options = new TrainingOptions { Steps = 3, WindowLength = 64, MicroBatchSize = 2, CheckpointEvery = 0, LogEvery = 1 };
            using var model = new CausalLM(Config, WeightSet.Random(Config, 1, CUDA, ScalarType.BFloat16));
            using (var run = RunFolder.Open(folder))
            using (var trainer = new Trainer(options, new TrainingInputs(model, text), run))
            {
                trainer.Run(TestContext.Current.CancellationToken);
            }

            using var gradients = new Gradients();
            using var stage = new StageRun(StagePlan.Of(options)[0], options, new TrainingInputs(model, text), gradients, recorded: 0);
            using var checkpoint = RunCheckpoint.Open(RunFolder.Checkpoints(folder)[0], Config);
            checkpoint.Restore(stage.Optimizer);
            Assert.Equal(3, stage.Optimizer.Steps);
            using var stored = T2R.Checkpoints.SafeTensorsFile.Open(Path.Combine(checkpoint.Path, "optimizer.safetensors"));
            Assert.All(stage.Optimizer.State, s =>
            {
                using var held = s.Tensor.cpu();
                using var view = stored.Read(s.Name);
                Assert.True(TensorMemory.Bytes(held).SequenceEqual(TensorMemory.Bytes(view)), s.Name);
            });
            Assert.Contains(stage.Optimizer.State, s => s.Tensor.count_nonzero().item<long>() > 0);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
