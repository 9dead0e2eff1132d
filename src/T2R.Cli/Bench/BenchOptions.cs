using System.CommandLine;
using T2R.Interop.Cuda;

namespace T2R.Cli.Bench;

/// <summary>What the benches share on the command line: whole numbers of at least 1, the card, and JSON.</summary>
/// <param name="verb">The bench.</param>
internal sealed class BenchOptions(Verb verb)
{
    private readonly List<Option<int>> _numbers = [];
    private readonly Option<bool> _json = new("--json") { Description = "Print the result as JSON." };

    /// <summary>Adds a number.</summary>
    public Option<int> Number(string name, int standard, string description)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => standard };
        verb.Options.Add(option);
        _numbers.Add(option);
        return option;
    }

    /// <summary>Says what the bench does with a card, after everything was checked at once.</summary>
    /// <typeparam name="T">What is timed.</typeparam>
    /// <param name="check">Reads the command line and adds what is wrong with it; what it yields is not used then.</param>
    /// <param name="action">Times and shows it; the last argument is whether as JSON.</param>
    public void Do<T>(Func<ParseResult, Problems, T?> check, Action<T, CudaDevice, bool> action)
        where T : class
    {
        verb.Options.Add(_json);
        verb.Does((parsed, _) =>
        {
            var problems = new Problems();
            foreach (var option in _numbers.Where(o => parsed.GetValue(o) < 1))
            {
                problems.Add($"{option.Name} is {parsed.GetValue(option)}, expected at least 1.");
            }

            var what = check(parsed, problems);
            var card = CudaDevice.All() is [var first, ..] ? first : null;
            if (card is null)
            {
                problems.Add("t2r bench needs a CUDA card; `t2r doctor` says what is there.");
            }

            problems.ThrowIfAny();
            action(what!, card!, parsed.GetValue(_json));
        });
    }
}
