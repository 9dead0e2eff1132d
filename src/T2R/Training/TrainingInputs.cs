using T2R.Data;
using T2R.Models;
using T2R.Training.Memory;

namespace T2R.Training;

/// <summary>What a run trains and on what. All borrowed.</summary>
/// <param name="Model">Trained in place.</param>
/// <param name="Text">The ids to train on.</param>
/// <param name="HeldOut">The ids to evaluate on; null for no evaluations.</param>
/// <param name="Teacher">Whom stages over mixers imitate and a distillation follows; null when neither is wanted.</param>
public sealed record TrainingInputs(CausalLM Model, TokenMixture Text, TokenStream? HeldOut = null, CausalLM? Teacher = null)
{
    /// <summary>What training these will hold.</summary>
    /// <param name="options">The options.</param>
    public MemoryPlan Memory(TrainingOptions options)
    {
        var embedding = Model.Weights[WeightLayout.Embedding];
        long held = Model.Weights.ByteCount + (Teacher?.Weights.ByteCount ?? 0);
        return MemoryPlan.Of(
            Model.Config, options, embedding.dtype, Teacher?.Config, embedding.device_type == TorchSharp.DeviceType.CUDA ? CardMemory.Now(embedding.device_index, held) : null);
    }

    /// <summary>Checks that the inputs suffice for options.</summary>
    /// <param name="options">The options.</param>
    /// <exception cref="UserErrorException">Holds every problem.</exception>
    public void Check(TrainingOptions options)
    {
        var problems = new Problems();
        options.Check(Model.Config, problems);
        var embedding = Model.Weights[WeightLayout.Embedding];
        Fp8Support.Check(options, embedding.dtype, embedding.device_type == TorchSharp.DeviceType.CUDA, isHere: true, problems);
        bool transfers = options.Stages.Any(s => s.Objective == StageObjective.Mixers);
        if (Teacher is null)
        {
            Require(!transfers, "A stage has the objective mixers, which needs a teacher; start from a pretrained model, or make it tokens.");
            Require(options.Distillation is not { Weight: > 0 }, "training.distillation needs a teacher; start from a pretrained model, or leave it out.");
        }
        else
        {
            Require(
                Teacher.Config.VocabularySize == Model.Config.VocabularySize,
                $"The teacher has {Teacher.Config.VocabularySize} token ids and the model {Model.Config.VocabularySize}; they must share a vocabulary.");
            Require(
                !transfers || (Teacher.Config.HiddenSize == Model.Config.HiddenSize && Teacher.Config.Layers == Model.Config.Layers),
                $"A stage has the objective mixers, but the teacher has {Teacher.Config.Layers} layers of {Teacher.Config.HiddenSize} and the model {Model.Config.Layers} of {Model.Config.HiddenSize}.");
            Require(
                !transfers || MixerStageLoss.NewMixers(Model.Config, Teacher.Config).Any(),
                "A stage has the objective mixers, but no mixer of the model differs from the teacher's; make it tokens.");
            foreach (var stage in options.Stages.Where(s => s.Objective == StageObjective.Mixers))
            {
                Require(
                    Teacher.Config.Layers != Model.Config.Layers || MixerStageLoss.NewMixers(Model.Config, Teacher.Config).Any(i =>
                        WeightLayout.OfBlock(Model.Config, i).Any(w => WeightChoice.IsTrained(options, stage, w.Name))),
                    $"The stage '{stage.Name}' has the objective mixers and trains no weight of a new mixer; name some in trained, such as 'blocks.*.mixer.*'.");
            }
        }

        problems.ThrowIfAny();

        void Require(bool holds, string sentence)
        {
            if (!holds)
            {
                problems.Add(sentence);
            }
        }
    }
}
