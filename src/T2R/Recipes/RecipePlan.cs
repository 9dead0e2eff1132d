using T2R.Conversion;
using T2R.Data;
using T2R.Models;
using T2R.Tokenization;
using T2R.Training;
using T2R.Training.Memory;
using static TorchSharp.torch;

namespace T2R.Recipes;

/// <summary>A recipe held against the world: its folders opened, its shapes known, its files found. Nothing has been written or trained.</summary>
public sealed class RecipePlan : IDisposable
{
    private RecipePlan(
        Recipe recipe, ModelFolder? source, ModelConfig config, ConversionPlan? conversion, string tokenizerFolder, SentencePieceTokenizer tokenizer, ICorpus train, ICorpus? validation, CardMemory? card)
    {
        (Recipe, Source, Config, Conversion, TokenizerFolderPath, Tokenizer, Train, Validation, Card) =
            (recipe, source, config, conversion, tokenizerFolder, tokenizer, train, validation, card);
    }

    /// <summary>The recipe.</summary>
    public Recipe Recipe { get; }

    /// <summary>The source folder; null when training from random weights.</summary>
    public ModelFolder? Source { get; }

    /// <summary>The shape that is trained.</summary>
    public ModelConfig Config { get; }

    /// <summary>How the source becomes it; null when it is trained as it is.</summary>
    public ConversionPlan? Conversion { get; }

    /// <summary>Where the tokenizer's files are.</summary>
    public string TokenizerFolderPath { get; }

    /// <summary>The tokenizer.</summary>
    public SentencePieceTokenizer Tokenizer { get; }

    /// <summary>Training documents, the held-out ones not yet taken out.</summary>
    public ICorpus Train { get; }

    /// <summary>Validation documents; null when a share of the training documents is held out.</summary>
    public ICorpus? Validation { get; }

    /// <summary>The card it is trained on, or planned for; null for the CPU.</summary>
    public CardMemory? Card { get; }

    /// <summary>Where the model runs.</summary>
    public Device Device => Card is null ? CPU : CUDA;

    /// <summary>Type of the matrices.</summary>
    public ScalarType Dtype => DtypeOn(Recipe, Card);

    /// <summary>Type of the exported weights.</summary>
    public ScalarType ExportDtype => Recipe.ExportDtype ?? Source?.Dtype ?? Dtype;

    /// <summary>Whether the teacher is needed in memory while training.</summary>
    public bool NeedsTeacher => Conversion is not null && WantsTeacher(Recipe);

    /// <summary>What will surprise the user though the run goes on: of the source, and settings that have no effect.</summary>
    public IReadOnlyList<string> Warnings => [.. Source?.Warnings ?? [], .. SettingsWithoutEffect()];

    /// <summary>Likewise of the training; when it runs it says these itself.</summary>
    public IReadOnlyList<string> TrainingWarnings => [.. IdleOptions.In(Recipe.Training, Config, hasHeldOut: true, onCard: Card is not null)];

    /// <summary>Numbers that some stage trains, adapters' included.</summary>
    public long TrainedParameters =>
        WeightLayout.Of(Config with { Lora = Recipe.Training.Lora }).Where(s => WeightChoice.IsEverTrained(Recipe.Training, s.Name)).Sum(s => s.Count);

    /// <summary>What training is going to hold.</summary>
    public MemoryPlan Memory => MemoryPlan.Of(Config with { Lora = Recipe.Training.Lora }, Recipe.Training, Dtype, NeedsTeacher ? Source!.Config : null, Card);

    /// <summary>Opens everything a recipe names.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="imagined">A card to plan for instead of what the machine has, when nothing is going to run; null for this machine's.</param>
    /// <exception cref="UserErrorException">Everything that is wrong, at once.</exception>
    public static RecipePlan Of(Recipe recipe, CardMemory? imagined = null)
    {
        var problems = new Problems();
        var card = imagined ?? (recipe.Device != RecipeDevice.Cpu && cuda.is_available() ? CardMemory.Now() : null);
        if (recipe.Device == RecipeDevice.Cuda && card is null)
        {
            problems.Add("device is cuda and libtorch sees no CUDA device; `t2r doctor` says why. Use device=cpu, or device=auto to take what is there.");
        }

        var source = recipe.Model.Source is { } folder ? problems.Try(() => ModelFolder.Open(folder)) : null;
        try
        {
            var conversion = source is null || recipe.Conversion is null ? null : problems.Try(() => Converter.Plan(source, recipe.Conversion));
            var config = conversion?.Target ?? source?.Config ?? (recipe.Model.Config is { } path ? problems.Try(() => RandomModel.Shape(path)) : null);
            string tokenizerFolder = recipe.Model.Tokenizer ?? recipe.Model.Source ?? string.Empty;
            var tokenizer = tokenizerFolder.Length == 0 ? null : problems.Try(() => TokenizerFolder.Open(tokenizerFolder));
            var train = recipe.Data.Train.Count == 0 ? null : problems.Try(() => CorpusReader.Open(recipe.Data.Train, recipe.Data.Format, recipe.Data.Field));
            var validation = recipe.Data.Validation.Count == 0 ? null : problems.Try(() => CorpusReader.Open(recipe.Data.Validation, recipe.Data.Format, recipe.Data.Field));
            CheckTogether(recipe, config, tokenizer, problems);
            if (!problems.Any && card is not null)
            {
                CheckMemory(recipe, config! with { Lora = recipe.Training.Lora }, WantsTeacher(recipe) && conversion is not null ? source!.Config : null, card, problems);
            }

            problems.ThrowIfAny();
            return new RecipePlan(recipe, source, config!, conversion, tokenizerFolder, tokenizer!, train!, validation, card);
        }
        catch
        {
            source?.Dispose();
            throw;
        }
    }

    /// <inheritdoc />
    public void Dispose() => Source?.Dispose();

    private IEnumerable<string> SettingsWithoutEffect()
    {
        if (Source is not null && Recipe.Model.Seed != 0)
        {
            yield return "model.seed has no effect: the weights are the source's.";
        }

        if (Recipe.Samples is { Temperature: 0, Seed: not 0 })
        {
            yield return "samples.seed has no effect: at temperature 0 the samples are greedy.";
        }
    }

    private static ScalarType DtypeOn(Recipe recipe, CardMemory? card) => recipe.Dtype ?? (card is null ? ScalarType.Float32 : ScalarType.BFloat16);

    private static bool WantsTeacher(Recipe recipe) => recipe.Training.Distillation is { Weight: > 0 } || recipe.Training.Stages.Any(s => s.Objective == StageObjective.Mixers);

    private static void CheckMemory(Recipe recipe, ModelConfig config, ModelConfig? teacher, CardMemory card, Problems problems)
    {
        var dtype = DtypeOn(recipe, card);
        var plan = MemoryPlan.Of(config, recipe.Training, dtype, teacher, card);
        if (!plan.Fits(card))
        {
            var advice = MemoryAdvice.For(config, recipe.Training, dtype, teacher, card).Take(3).Select(a => $"{a.Settings} ({MemoryPart.Text(a.Bytes)}{Shorter(a)})").ToList();
            problems.Add(
                $"this training does not fit the card: {plan.Moment} it holds {MemoryPart.Text(plan.Total)} ({string.Join(", ", plan.Parts.Select(p => $"{p.Name} {MemoryPart.Text(p.Bytes)}"))}), "
                + $"and the card has {MemoryPart.Text(card.Total)}. "
                + (advice.Count > 0 ? $"It fits with {string.Join("; or ", advice)}." : "No setting makes it fit: take a shorter data.window_length, a smaller model or a larger card."));
        }

        string Shorter(MemoryAdvice advice) =>
            advice.TokensPerStep == recipe.Training.TokensPerStep ? "" : $", and a step reads {advice.TokensPerStep} tokens instead of {recipe.Training.TokensPerStep}";
    }

    private static void CheckTogether(Recipe recipe, ModelConfig? config, SentencePieceTokenizer? tokenizer, Problems problems)
    {
        if (recipe.Conversion is not null && recipe.Model.Source is null)
        {
            problems.Add("conversion needs model.source: a model from random weights has nothing to convert. Remove the section, or name a folder.");
        }

        if (recipe.Conversion is null && recipe.Training.Distillation is { Weight: > 0 })
        {
            problems.Add("training.distillation needs a conversion: the teacher is the model as it was before.");
        }

        if (recipe.Conversion is null && recipe.Training.Stages.Any(s => s.Objective == StageObjective.Mixers))
        {
            problems.Add("training.stages: objective mixers needs a conversion: each new mixer imitates the one it replaced.");
        }

        if (config is not null)
        {
            recipe.Training.Check(config, problems);
            if (tokenizer is not null && tokenizer.VocabularySize > config.VocabularySize)
            {
                problems.Add($"the tokenizer has {tokenizer.VocabularySize} pieces and the model's vocabulary {config.VocabularySize}; they do not belong together.");
            }
        }

        if (recipe.Dtype is ScalarType.Float16 or ScalarType.Float64)
        {
            problems.Add($"dtype is {DtypeName.Of(recipe.Dtype.Value)}; training runs in fp32 or bf16.");
        }

        if (tokenizer is { BeginningOfSentenceId: null })
        {
            problems.Add("the tokenizer has no beginning-of-sentence piece, which stands before each document.");
        }
    }
}
