using System.CommandLine;
using System.CommandLine.Parsing;
using T2R.Cli;
using Xunit;

namespace T2R.Tests.Cli;

public class CommandLineTests
{
    private static readonly Dictionary<string, string?> NoLibTorch = new() { ["T2R_LIBTORCH"] = "/nowhere" };

    public static TheoryData<string> Verbs => [.. Paths(CommandLine.Create(), [])];

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Every_verb_has_examples_that_parse(string path)
    {
        string[] names = path.Split(' ');
        Verb verb = Assert.IsType<Verb>(names.Aggregate((Command)CommandLine.Create(), (command, name) => command.Subcommands.Single(c => c.Name == name)));
        Assert.NotEmpty(verb.Examples);
        Assert.All(verb.Examples, example =>
        {
            string[] words = [.. CommandLineParser.SplitCommandLine(example).SkipWhile(w => w.Contains('='))];
            Assert.Equal(["t2r", .. names], words[..(names.Length + 1)]);
            Assert.Empty(ParseMistakes.Of(CommandLine.Create().Parse(words[1..])));
        });
    }

    [Fact]
    public void The_examples_of_the_programs_own_help_parse() => Assert.All(CommandLine.Examples, example =>
        Assert.Empty(ParseMistakes.Of(CommandLine.Create().Parse([.. CommandLineParser.SplitCommandLine(example).Skip(1)]))));

    [Fact]
    public async Task A_libtorch_the_user_names_wrongly_is_the_users_mistake_in_every_verb_that_computes()
    {
        var (code, output, error) = await T2rProcess.Run(["generate", "model", "--prompt", "x"], NoLibTorch);
        Assert.Equal((2, ""), (code, output));
        Assert.StartsWith("error: T2R_LIBTORCH is set to /nowhere", error);
    }

    [Fact]
    public async Task Help_lists_the_verbs_and_does_not_load_libtorch()
    {
        var (code, output, error) = await T2rProcess.Run(["--help"], NoLibTorch);
        Assert.Equal((0, ""), (code, error));
        Assert.Contains("doctor", output);
        Assert.Contains("Examples:", output);
    }

    [Fact]
    public async Task A_verbs_help_ends_with_its_examples()
    {
        var (code, output, _) = await T2rProcess.Run(["doctor", "--help"], NoLibTorch);
        Assert.Equal(0, code);
        Assert.Matches(@"Examples:\s+t2r doctor\s", output);
    }

    [Fact]
    public async Task Without_a_verb_the_help_is_shown_and_the_exit_code_is_2()
    {
        var (code, output, _) = await T2rProcess.Run([]);
        Assert.Equal(2, code);
        Assert.Contains("Examples:", output);
    }

    [Fact]
    public async Task A_mistyped_command_line_exits_with_2_and_writes_nothing_to_standard_output()
    {
        var (code, output, error) = await T2rProcess.Run(["doctr"]);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains("did you mean 'doctor'?", error);
    }

    [Theory]
    [InlineData("doctor --jsn", "'--jsn' is not an option of `t2r doctor`; did you mean '--json'?")]
    [InlineData("doctor --frob", "'--frob' is not an option of `t2r doctor`; its options: --json, --help")]
    [InlineData("doctor a", "'a' is one argument too many for `t2r doctor`")]
    [InlineData("bench gsa --lenght=9", "'--lenght=9' is not an option of `t2r bench gsa`; did you mean '--length'?")]
    [InlineData("frobnicate --help", "'frobnicate' is not a verb of t2r")]
    public void A_mistake_is_named_with_what_was_meant(string line, string expected) =>
        Assert.StartsWith(expected, Assert.Single(ParseMistakes.Of(CommandLine.Create().Parse(line))));

    [Fact]
    public void All_mistakes_are_named_at_once() =>
        Assert.Equal(3, ParseMistakes.Of(CommandLine.Create().Parse("doctor --jsn a --frob")).Count);

    [Fact]
    public void An_option_mistyped_where_an_argument_may_stand_is_not_taken_for_it()
    {
        var root = new RootCommand { new Command("convert") { new Argument<string>("SOURCE"), new Option<string>("--out") { Required = true } } };
        IReadOnlyList<string> mistakes = ParseMistakes.Of(root.Parse("convert --uot DIR"));
        Assert.Contains("'--uot' is not an option of `t2r convert`; did you mean '--out'?", mistakes);
        Assert.Contains(mistakes, m => m.Contains("'--out' is required"));
    }

    [Fact]
    public void The_value_of_an_option_may_look_like_an_option()
    {
        var root = new RootCommand { new Command("generate") { new Argument<string>("MODEL"), new Option<string>("--prompt") } };
        Assert.Empty(ParseMistakes.Of(root.Parse(["generate", "m", "--prompt", "- a list"])));
    }

    // Verbs within verbs by all their names: "bench gsa".
    private static IEnumerable<string> Paths(Command command, IEnumerable<string> above) => command.Subcommands.SelectMany(c =>
    {
        string[] names = [.. above, c.Name];
        return Paths(c, names).Prepend(string.Join(' ', names));
    });
}
