using T2R.Conversion;
using T2R.Models;
using T2R.Training;
using T2R.Training.Memory;
using static TorchSharp.torch;

namespace T2R.Recipes;

/// <summary>A recipe held against a model's shape and a card: what it trains, and in how much memory. Neither weights nor text are needed.</summary>
/// <param name="Recipe">The recipe.</param>
/// <param name="Config">The shape that is trained, without adapters.</param>
/// <param name="Teacher">The shape of the teacher held beside it; null without one.</param>
/// <param name="Card">The card it is trained on, or planned for; null for the CPU.</param>
public sealed record RecipeShape(Recipe Recipe, ModelConfig Config, ModelConfig? Teacher, CardMemory? Card)
{
    /// <summary>Type of the matrices.</summary>
    public ScalarType Dtype => Recipe.Dtype ?? (Card is null ? ScalarType.Float32 : ScalarType.BFloat16);

    /// <summary>What training is going to hold.</summary>
    public MemoryPlan Memory => MemoryPlan.Of(Adapted, Recipe.Training, Dtype, Teacher, Card);

    /// <summary>Numbers in the model.</summary>
    public long Parameters => WeightLayout.Of(Config).Sum(s => s.Count);

    /// <summary>Numbers that some stage trains, adapters' included.</summary>
    public long TrainedParameters => WeightLayout.Of(Adapted).Where(s => WeightChoice.IsEverTrained(Recipe.Training, s.Name)).Sum(s => s.Count);

    private ModelConfig Adapted => Config with { Lora = Recipe.Training.Lora };

    /// <summary>The recipe for a shape alone, in place of the model that it names.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="shape">A config.json, or a name of <see cref="RandomModel.Presets"/>.</param>
    /// <param name="imagined">A card to plan for instead of what the machine has; null for this machine's.</param>
    /// <exception cref="UserErrorException">Everything that is wrong: with the shape, the training's options, or the memory they need.</exception>
    public static RecipeShape Of(Recipe recipe, string shape, CardMemory? imagined) => Of(recipe, RandomModel.Shape(shape), shape, imagined);

    /// <summary>Likewise, of a shape that is known already.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="source">The shape.</param>
    /// <param name="place">What it was read from, for errors.</param>
    /// <param name="imagined">A card to plan for instead of what the machine has; null for this machine's.</param>
    /// <exception cref="UserErrorException">Everything that is wrong, as above.</exception>
    public static RecipeShape Of(Recipe recipe, ModelConfig source, string place, CardMemory? imagined)
    {
        var problems = new Problems();
        var config = recipe.Conversion is { } conversion ? ConversionTarget.Of(source, conversion, place) : source;
        recipe.Training.Check(config, problems);
        var planned = new RecipeShape(recipe, config, TeacherOf(recipe, source), CardOf(recipe, imagined, problems));
        planned.CheckCard(isHere: imagined is null, problems);
        problems.ThrowIfAny();
        return planned;
    }

    /// <summary>The weights, adapters' among them, that a stage trains.</summary>
    /// <param name="stage">A stage of the recipe.</param>
    public IEnumerable<WeightSpec> TrainedBy(TrainingStage stage) => WeightLayout.Of(Adapted).Where(s => WeightChoice.IsTrained(Recipe.Training, stage, s.Name));

    /// <summary>The teacher's shape: that of the model before its conversion, if the training follows it.</summary>
    internal static ModelConfig? TeacherOf(Recipe recipe, ModelConfig? source) =>
        recipe.Conversion is not null && (recipe.Training.Distillation is { Weight: > 0 } || recipe.Training.Stages.Any(s => s.Objective == StageObjective.Mixers)) ? source : null;

    /// <summary>The card that a recipe is trained on, or planned for.</summary>
    internal static CardMemory? CardOf(Recipe recipe, CardMemory? imagined, Problems problems)
    {
        var card = imagined ?? (recipe.Device != RecipeDevice.Cpu && cuda.is_available() ? CardMemory.Now(device: 0) : null);
        if (recipe.Device == RecipeDevice.Cuda && card is null)
        {
            problems.Add("device is cuda and libtorch sees no CUDA device; `t2r doctor` says why. Use device=cpu, or device=auto to take what is there.");
        }

        return card;
    }

    /// <summary>Finds out whether the card can do it, and, if nothing else is wrong, whether it holds it: memory is planned for checked options alone.</summary>
    /// <param name="isHere">Whether the card is this machine's.</param>
    /// <param name="problems">Receives what is in the way.</param>
    internal void CheckCard(bool isHere, Problems problems)
    {
        Fp8Support.Check(Recipe.Training, Dtype, Card is not null, isHere, problems);
        if (problems.Any || Card is null || Memory is not { } plan || plan.Fits(Card))
        {
            return;
        }

        var advice = MemoryAdvice.For(Adapted, Recipe.Training, Dtype, Teacher, Card).Take(3).Select(a => $"{a.Settings} ({MemoryPart.Text(a.Bytes)}{Shorter(a)})").ToList();
        problems.Add(
            $"this training does not fit the card: {plan.Moment} it holds {MemoryPart.Text(plan.Total)} ({string.Join(", ", plan.Parts.Select(p => $"{p.Name} {MemoryPart.Text(p.Bytes)}"))}), "
            + $"and the card has {MemoryPart.Text(Card.Total)}. "
            + (advice.Count > 0 ? $"It fits with {string.Join("; or ", advice)}." : "No setting makes it fit: take a shorter data.window_length, a smaller model or a larger card."));

        string Shorter(MemoryAdvice advice) =>
            advice.TokensPerStep == Recipe.Training.TokensPerStep ? "" : $", and a step reads {advice.TokensPerStep} tokens instead of {Recipe.Training.TokensPerStep}";
    }
}
