using System.Text.Json.Nodes;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Cli;

public class PlotVerbTests
{
    [Fact]
    public async Task Curves_of_runs_and_files_come_into_one_picture_and_one_table()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["a"]);
        File.WriteAllText(
            folder["a/metrics.jsonl"],
            """
            {"step":0,"tokens":0,"evaluation_loss":5,"perplexity":148.4}
            {"step":10,"stage":"train","tokens":1000,"loss":4.1}
            {"step":10,"tokens":1000,"evaluation_loss":4,"perplexity":54.6}
            {"step":20,"tok
            """);
        File.WriteAllText(folder["b.jsonl"], """{"tokens":1000,"perplexity":60.25}""" + "\n" + """{"tokens":2000,"perplexity":40}""" + "\n");
        string[] arguments = ["plot", $"ours={folder["a"]}", folder["b.jsonl"], "--out", folder["p.png"]];
        var (code, output, error) = await T2rProcess.Run(arguments);
        Assert.Equal((0, ""), (code, error));
        Assert.Equal([137, 80, 78, 71], File.ReadAllBytes(folder["p.png"])[..4]);
        Assert.Equal(
            ["tokens    ours      b", "     0  148.40", " 1,000   54.60  60.25", " 2,000          40.00", $"The picture is {folder["p.png"]}."],
            output.Split('\n', StringSplitOptions.RemoveEmptyEntries));

        (code, output, _) = await T2rProcess.Run([.. arguments, "--json"]);
        Assert.Equal(0, code);
        Assert.Equal(54.6, (double)JsonNode.Parse(output)!["curves"]![0]!["points"]![1]!["perplexity"]!);
    }

    [Fact]
    public async Task What_cannot_be_drawn_is_named_all_of_it_and_nothing_is_drawn()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["empty"]);
        File.WriteAllText(folder["untold.jsonl"], """{"step":10,"tokens":1000,"loss":4.1}""" + "\n");
        var (code, output, error) = await T2rProcess.Run(["plot", folder["none"], folder["empty"], $"x={folder["untold.jsonl"]}", "--out", folder["p.pdf"]]);
        Assert.Equal((2, ""), (code, output));
        Assert.All(["p.pdf; expected a name that ends in .png", "none: no such run", "empty: no metrics.jsonl in it", "untold.jsonl: no evaluation in it"], e => Assert.Contains(e, error));
        Assert.Equal(["empty", "untold.jsonl"], folder.Names.Order());
    }
}
