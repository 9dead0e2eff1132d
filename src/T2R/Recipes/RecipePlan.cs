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
        RecipeShape shape, ModelFolder? source, ConversionPlan? conversion, string tokenizerFolder, TextTokenizer tokenizer, BoundaryIds boundaries, IReadOnlyList<ICorpus> train, ICorpus? validation)
    {
        (Shape, Source, Conversion, TokenizerFolderPath, Tokenizer, Boundaries, Train, Validation) = (shape, source, conversion, tokenizerFolder, tokenizer, boundaries, train, validation);
    }

    /// <summary>The recipe.</summary>
    public Recipe Recipe => Shape.Recipe;

    /// <summary>The recipe with the shapes of its models: what it trains, in how much memory.</summary>
    public RecipeShape Shape { get; }

    /// <summary>The source folder; null when training from random weights.</summary>
    public ModelFolder? Source { get; }

    /// <summary>The shape that is trained.</summary>
    public ModelConfig Config => Shape.Config;

    /// <summary>How the source becomes it; null when it is trained as it is.</summary>
    public ConversionPlan? Conversion { get; }

    /// <summary>Where the tokenizer's files are.</summary>
    public string TokenizerFolderPath { get; }

    /// <summary>The tokenizer.</summary>
    public TextTokenizer Tokenizer { get; }

    /// <summary>The ids that begin and end a text; one stands before each document.</summary>
    public BoundaryIds Boundaries { get; }

    /// <summary>Training documents of each source, the held-out ones not yet taken out.</summary>
    public IReadOnlyList<ICorpus> Train { get; }

    /// <summary>Validation documents; null when a share of the training documents is held out.</summary>
    public ICorpus? Validation { get; }

    /// <summary>The card it is trained on, or planned for; null for the CPU.</summary>
    public CardMemory? Card => Shape.Card;

    /// <summary>Where the model runs.</summary>
    public Device Device => Card is null ? CPU : CUDA;

    /// <summary>Type of the matrices.</summary>
    public ScalarType Dtype => Shape.Dtype;

    /// <summary>Type of the exported weights.</summary>
    public ScalarType ExportDtype => Recipe.ExportDtype ?? Source?.Dtype ?? Dtype;

    /// <summary>Whether the teacher is needed in memory while training.</summary>
    public bool NeedsTeacher => Shape.Teacher is not null;

    /// <summary>What will surprise the user though the run goes on: of the source, and settings that have no effect.</summary>
    public IReadOnlyList<string> Warnings => [.. Conversion?.Warnings ?? Source?.Warnings ?? [], .. Boundaries.Warnings, .. SettingsWithoutEffect()];

    /// <summary>Likewise of the training; when it runs it says these itself.</summary>
    public IReadOnlyList<string> TrainingWarnings => [.. IdleOptions.In(Recipe.Training, Config, hasHeldOut: true, onCard: Card is not null), .. Card is null ? [] : MissingKernels.OfShape(Config, Dtype)];

    /// <summary>What training is going to hold.</summary>
    public MemoryPlan Memory => Shape.Memory;

    /// <summary>Opens everything a recipe names.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="imagined">A card to plan for instead of what the machine has, when nothing is going to run; null for this machine's.</param>
    /// <exception cref="UserErrorException">Everything that is wrong, at once.</exception>
    public static RecipePlan Of(Recipe recipe, CardMemory? imagined = null)
    {
        var problems = new Problems();
        var card = RecipeShape.CardOf(recipe, imagined, problems);
        var source = recipe.Model.Source is { } folder ? problems.Try("model.source", () => Open(folder)) : null;
        try
        {
            var conversion = source is null || recipe.Conversion is null ? null : problems.Try("conversion", () => Converter.Plan(source, recipe.Conversion));
            var config = conversion?.Target ?? source?.Config ?? (recipe.Model.Config is { } path ? problems.Try("model.config", () => RandomModel.Shape(path)) : null);
            var (tokenizerKey, tokenizerFolder) = recipe.Model is { Tokenizer: { } own } ? ("model.tokenizer", own) : ("model.source", recipe.Model.Source!);

            // Of a source that is not there this has been said.
            var tokenizer = recipe.Model.Source is { } missing && !Directory.Exists(missing) ? null : problems.Try(tokenizerKey, () => TokenizerFolder.Open(tokenizerFolder));
            var train = recipe.Data.Train.Select(source => problems.Try(recipe.Data.Train.Count > 1 ? "data.sources" : "data.train", () => CorpusReader.OpenAll([source.Text]))).ToList();
            var validation = recipe.Data.Validation.Count == 0 ? null : problems.Try("data.validation", () => CorpusReader.Open(recipe.Data.Validation, recipe.Data.Format, recipe.Data.Field));
            if (config is not null && source is null && tokenizer is { BeginningOfSentenceId: { } begin })
            {
                config = config with { BosTokenId = begin, EosTokenIds = tokenizer.EndOfSentenceId is { } end ? [end] : config.EosTokenIds };
            }

            CheckTogether(recipe, config, tokenizer, problems);
            var boundaries = config is null || tokenizer is null ? null : problems.Try(() => BoundaryIds.Of(config, tokenizer, source?.Path));
            var shape = config is null ? null : new RecipeShape(recipe, config, RecipeShape.TeacherOf(recipe, source?.Config), card);
            shape?.CheckCard(isHere: imagined is null, problems);
            problems.ThrowIfAny();
            return new RecipePlan(shape!, source, conversion, tokenizerFolder, tokenizer!, boundaries!, [.. train.OfType<ICorpus>()], validation);
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

    private static ModelFolder Open(string folder) => Path.Exists(folder)
        ? ModelFolder.Open(folder)
        : throw new UserErrorException(
            $"{folder}: no such folder; expected a Hugging Face folder with config.json, model.safetensors and tokenizer.model or tokenizer.json. T2R downloads nothing: fetch a model first; without it, `--dry-run --shape mistral-7b` plans the memory, as does the path of a config.json.");

    private static void CheckTogether(Recipe recipe, ModelConfig? config, TextTokenizer? tokenizer, Problems problems)
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
            if (config.Quantization is { } quantization)
            {
                problems.Add($"model.source holds {quantization} weights, which can be run and nothing else; name the folder that they were made of.");
            }

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
            problems.Add("the tokenizer has no beginning-of-sentence token, which stands before each document; name it as bos_token in tokenizer_config.json beside tokenizer.json.");
        }
    }
}
