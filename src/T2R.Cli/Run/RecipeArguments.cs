using System.CommandLine;
using T2R.Conversion;
using T2R.Recipes;
using T2R.Training.Memory;

namespace T2R.Cli.Run;

/// <summary>What the verbs that take a recipe share on the command line.</summary>
internal sealed class RecipeArguments
{
    private readonly Argument<string> _recipe = new("recipe") { Description = "A recipe in YAML." };
    private readonly Argument<string[]> _overrides = new("key=value") { Description = "Settings laid over the recipe's, such as training.steps=500.", Arity = ArgumentArity.ZeroOrMore };
    private readonly Option<string?> _out = new("--out") { Description = "The run's folder; runs/NAME, by the recipe's name, unless given." };
    private readonly Option<bool> _dryRun = new("--dry-run") { Description = "Check everything and show the plan, with sizes and memory; do nothing." };
    private readonly Option<double?> _card = new("--card") { Description = "With --dry-run: plan for a card of so many GiB, which need not be in this machine." };
    private readonly Option<string?> _shape = new("--shape")
    {
        Description = $"With --dry-run: plan the memory of a model of this shape in place of the recipe's, and look at neither model nor text; a config.json, or one of {string.Join(", ", RandomModel.Presets.Keys)}.",
    };
    private readonly Option<bool> _json = new("--json") { Description = "Print the result as JSON." };

    private readonly bool _exports;

    /// <summary>Adds them to a verb.</summary>
    /// <param name="verb">The verb.</param>
    /// <param name="exports">Whether it ends with an export.</param>
    public RecipeArguments(Verb verb, bool exports)
    {
        _exports = exports;
        verb.Arguments.Add(_recipe);
        verb.Arguments.Add(_overrides);
        verb.Options.Add(_out);
        verb.Options.Add(_dryRun);
        verb.Options.Add(_card);
        verb.Options.Add(_shape);
        verb.Options.Add(_json);
    }

    /// <summary>Says what the verb does with a plan and the run's folder; a dry run shows the plan and does nothing.</summary>
    public void Do(Verb verb, Action<ParseResult, RecipePlan, string, CancellationToken> action) => verb.Does((parsed, stop) =>
    {
        if (parsed.GetValue(_shape) is { } shape)
        {
            ShapeView.Show(OfShape(parsed, shape), IsJson(parsed));
            return;
        }

        using var plan = Open(parsed);
        string folder = parsed.GetValue(_out) ?? Path.Combine("runs", plan.Recipe.Name);
        if (IsDryRun(parsed))
        {
            PlanView.Show(plan, folder, _exports, elsewhere: parsed.GetValue(_card) is not null, IsJson(parsed));
            return;
        }

        action(parsed, plan, folder, stop);
    });

    /// <summary>The overrides, as they were given.</summary>
    public IReadOnlyList<string> Overrides(ParseResult parsed) => parsed.GetValue(_overrides) ?? [];

    /// <summary>Whether the result is wanted as JSON.</summary>
    public bool IsJson(ParseResult parsed) => parsed.GetValue(_json);

    // The recipe held against the world; warnings are shown.
    private RecipePlan Open(ParseResult parsed)
    {
        var plan = RecipePlan.Of(Load(parsed), Imagined(parsed));
        foreach (string warning in IsDryRun(parsed) ? plan.Warnings.Concat(plan.TrainingWarnings) : plan.Warnings)
        {
            Screen.Warn(warning);
        }

        return plan;
    }

    private RecipeShape OfShape(ParseResult parsed, string shape) => IsDryRun(parsed)
        ? RecipeShape.Of(Load(parsed), shape, Imagined(parsed))
        : throw new UserErrorException("--shape needs --dry-run: only memory can be planned by a shape alone.");

    private Recipe Load(ParseResult parsed) => Recipe.Load(parsed.GetValue(_recipe)!, Overrides(parsed));

    private CardMemory? Imagined(ParseResult parsed)
    {
        if (parsed.GetValue(_card) is not { } size)
        {
            return null;
        }

        return IsDryRun(parsed) && size > 0
            ? CardMemory.Imagined((long)(size * (1L << 30)))
            : throw new UserErrorException(size > 0 ? "--card needs --dry-run: only a plan can be made for a card that is not here." : $"--card is {size}; expected GiB, such as 80.");
    }

    private bool IsDryRun(ParseResult parsed) => parsed.GetValue(_dryRun);
}
