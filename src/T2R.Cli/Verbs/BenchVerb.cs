using System.CommandLine;

namespace T2R.Cli.Verbs;

internal static class BenchVerb
{
    public static Command Create()
    {
        var verb = new Verb("bench", "Times what T2R computes on a card against the least time that the card allows. Nothing is timed whose results are not those of the reference.")
        {
            Examples = ["t2r bench gsa", "t2r bench block --batch 4 --length 2048", "t2r bench train recipes/mistral-7b-gsa.yaml training.accumulation_steps=1 --json"],
        };
        verb.Subcommands.Add(BenchGsaVerb.Create());
        verb.Subcommands.Add(BenchBlockVerb.Create());
        verb.Subcommands.Add(BenchTrainVerb.Create());
        verb.Subcommands.Add(BenchDecodeVerb.Create());
        return verb;
    }
}
