using T2R.Cli;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Cli;

public class FailureTests
{
    [Fact]
    public void A_full_disk_is_called_that()
    {
        Exception full = Assert.ThrowsAny<IOException>(() => File.WriteAllText("/dev/full", "x"));
        Assert.Equal(["No space left on device : '/dev/full'"], Failure.Sentences(full));
    }

    [Fact]
    public void A_full_disk_is_called_that_also_where_the_message_is_our_own() =>
        Assert.Equal(["no space left on device: cannot write model.safetensors"], Failure.Sentences(new IOException("cannot write model.safetensors", 28)));

    [Fact]
    public void Every_problem_of_the_user_is_a_sentence() =>
        Assert.Equal(["a", "b"], Failure.Sentences(new UserErrorException(["a", "b"])));

    [Fact]
    public void What_should_not_happen_is_named_by_type_and_message_and_says_how_to_see_where()
    {
        IReadOnlyList<string> sentences = Failure.Sentences(new ArithmeticException("odd\nmore"));
        Assert.Equal("ArithmeticException: odd", sentences[0]);
        Assert.Contains("T2R_DEBUG=1", sentences[1]);
    }

    [Fact]
    public async Task Out_of_memory_is_one_message_and_exit_code_1()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["long.txt"], new string('x', 40_000_000));
        string teacher = Path.Combine(Repository.Root, "recipes", "quickstart", "teacher");
        var (code, output, error) = await T2rProcess.Run(
            ["generate", teacher, "--prompt-file", folder["long.txt"]], new Dictionary<string, string?> { ["DOTNET_GCHeapHardLimit"] = "0x1000000" });
        Assert.Equal((1, ""), (code, output));
        Assert.Matches("^error: out of memory on the host: this process holds .*\n$", error);
    }
}
