using System.Diagnostics;
using System.Text;
using T2R.Tests.Checkpoints;
using T2R.Tests.Models;
using T2R.Tests.Tokenization;
using Xunit;

namespace T2R.Tests.Cli;

public sealed class GenerateVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _model;

    public GenerateVerbTests()
    {
        _model = _folder["m"];
        var tokenizer = TinyModels.Of(TinyModels.Ranked(TinyModels.English));
        new TinyModel(new TinyShape { HybridLayers = [], Vocabulary = tokenizer.Pieces.Count + 5 }).Save(_model);
        tokenizer.Save(Path.Combine(_model, "tokenizer.model"));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Standard_output_is_the_text_alone_and_the_seed_decides_it()
    {
        string[] command = ["generate", _model, "--prompt", "in the", "--max-new-tokens", "60", "--ignore-eos", "--seed", "7"];
        var (code, text, error) = await T2rProcess.Run(command);
        Assert.Equal((0, ""), (code, error));
        Assert.NotEmpty(text);
        Assert.Equal(text, (await T2rProcess.Run(command)).Output);
        Assert.NotEqual(text, (await T2rProcess.Run([.. command[..^1], "8"])).Output);

        string file = _folder["prompt.txt"];
        File.WriteAllText(file, "in the");
        Assert.Equal(text, (await T2rProcess.Run(["generate", _model, "--prompt-file", file, .. command[4..]])).Output);
    }

    [Fact]
    public async Task Verbose_adds_speed_and_bytes_of_state_on_standard_error()
    {
        var (code, text, error) = await T2rProcess.Run(["generate", _model, "--max-new-tokens", "20", "--ignore-eos", "--temperature", "0", "--verbose"]);
        Assert.Equal(0, code);
        Assert.Matches(@"^20 tokens, .* tokens/s .* the state of 20 tokens takes .*B\s*$", error);
        Assert.Equal((0, text, ""), await T2rProcess.Run(["generate", _model, "--max-new-tokens", "20", "--ignore-eos", "--temperature", "0"]));
    }

    [Fact]
    public async Task No_new_tokens_are_an_empty_text() =>
        Assert.Equal((0, "", ""), await T2rProcess.Run(["generate", _model, "--max-new-tokens", "0"]));

    [Fact]
    public async Task A_state_that_is_saved_goes_on_as_if_it_had_not_stopped()
    {
        string[] options = ["--ignore-eos", "--seed", "7", "--repetition-penalty", "1.1", "--min-p", "0.02"];
        string state = _folder["s.state"];
        var (_, all, _) = await T2rProcess.Run(["generate", _model, "--prompt", "in the", "--max-new-tokens", "60", .. options]);
        var (code, first, _) = await T2rProcess.Run(["generate", _model, "--prompt", "in the", "--max-new-tokens", "25", "--save-state", state, .. options]);
        Assert.Equal(0, code);
        var (_, second, error) = await T2rProcess.Run(["generate", _model, "--load-state", state, "--max-new-tokens", "35", .. options]);
        Assert.Equal(("", all), (error, first + second));
    }

    [Fact]
    public async Task A_stop_string_ends_the_text()
    {
        string[] command = ["generate", _model, "--max-new-tokens", "60", "--ignore-eos", "--seed", "7"];
        string all = (await T2rProcess.Run(command)).Output;
        Assert.Equal((0, all[..all.IndexOf(all[30..34], StringComparison.Ordinal)], ""), await T2rProcess.Run([.. command, "--stop", "not there", "--stop", all[30..34]]));
    }

    [Fact]
    public async Task States_that_cannot_be_are_named_before_the_model_is_loaded()
    {
        string state = _folder["s.state"];
        await T2rProcess.Run(["generate", _model, "--max-new-tokens", "2", "--save-state", state]);
        new TinyModel(new TinyShape { HybridLayers = [], Vocabulary = 300 }, seed: 2).Save(_folder["other"]);
        File.Copy(Path.Combine(_model, "tokenizer.model"), Path.Combine(_folder["other"], "tokenizer.model"));
        var (code, _, error) = await T2rProcess.Run(["generate", _folder["other"], "--load-state", state, "--save-state", _folder["none/s.state"]]);
        Assert.Equal(2, code);
        Assert.All(["fingerprint", "none/s.state"], word => Assert.Contains(word, error));

        new TinyModel(new TinyShape { HybridLayers = [1], Vocabulary = 300 }).Save(_folder["hybrid"]);
        File.Copy(Path.Combine(_model, "tokenizer.model"), Path.Combine(_folder["hybrid"], "tokenizer.model"));
        (code, string text, error) = await T2rProcess.Run(["generate", _model, "--save-state", _folder["other"]]);
        Assert.Equal((2, ""), (code, text));
        Assert.Contains("which is a folder", error);

        (code, _, error) = await T2rProcess.Run(["generate", _folder["hybrid"], "--save-state", state]);
        Assert.Equal(2, code);
        Assert.Contains("softmax", error);
    }

    [Fact]
    public async Task A_reader_that_goes_away_ends_the_work_quietly()
    {
        using Process process = Start("--max-new-tokens", "100000000", "--ignore-eos");
        var stop = TestContext.Current.CancellationToken;
        Assert.NotEqual(0, await process.StandardOutput.BaseStream.ReadAsync(new byte[10], stop));
        process.StandardOutput.Close();
        string error = await process.StandardError.ReadToEndAsync(stop);
        await process.WaitForExitAsync(stop);
        Assert.Equal((0, ""), (process.ExitCode, error));
    }

    [Fact]
    public async Task An_interrupt_stops_it_with_exit_code_1()
    {
        using Process process = Start("--max-new-tokens", "100000000", "--ignore-eos");
        var stop = TestContext.Current.CancellationToken;
        Assert.NotEqual(0, await process.StandardOutput.BaseStream.ReadAsync(new byte[10], stop));
        Task<string> rest = process.StandardOutput.ReadToEndAsync(stop);
        using (Process kill = Process.Start("kill", ["-INT", $"{process.Id}"]))
        {
            await kill.WaitForExitAsync(stop);
        }

        await rest;
        await process.WaitForExitAsync(stop);
        Assert.Equal(1, process.ExitCode);
        Assert.DoesNotContain("Exception", await process.StandardError.ReadToEndAsync(stop));
    }

    [Fact]
    public async Task Output_appended_by_the_shell_follows_the_text()
    {
        string file = _folder["out.txt"];
        string t2r = Path.Combine(AppContext.BaseDirectory, "t2r");
        using Process shell = Process.Start("sh", ["-c", $"( '{t2r}' generate '{_model}' --max-new-tokens 30 --ignore-eos --seed 3; echo END ) > '{file}'"]);
        await shell.WaitForExitAsync(TestContext.Current.CancellationToken);
        string text = (await T2rProcess.Run(["generate", _model, "--max-new-tokens", "30", "--ignore-eos", "--seed", "3"])).Output;
        Assert.Equal(text + "END\n", File.ReadAllText(file));
    }

    [Fact]
    public async Task Every_mistake_is_named_at_once_and_nothing_is_written()
    {
        var (code, text, error) = await T2rProcess.Run(
            ["generate", _folder["none"], "--prompt", "a", "--prompt-file", "b", "--temperature", "-1", "--top-k", "0", "--top-p", "2", "--min-p", "2", "--repetition-penalty", "0", "--stop", "", "--max-new-tokens", "-5", "--device", "tpu", "--dtype", "int3"]);
        Assert.Equal((2, ""), (code, text));
        Assert.All(["none", "--prompt-file", "temperature", "top-k", "top-p", "min-p", "repetition penalty", "stop string", "new tokens", "tpu", "int3"], word => Assert.Contains(word, error));
    }

    [Fact]
    public async Task A_prompt_file_that_is_not_there_or_not_text_is_named()
    {
        string file = _folder["latin1.txt"];
        File.WriteAllBytes(file, Encoding.Latin1.GetBytes("café"));
        Assert.Contains("not UTF-8", (await T2rProcess.Run(["generate", _model, "--prompt-file", file])).Error);
        Assert.Equal(2, (await T2rProcess.Run(["generate", _model, "--prompt-file", _folder["none"]])).ExitCode);
    }

    [Fact]
    public async Task A_tokenizer_that_is_not_there_or_too_large_for_the_model_is_named()
    {
        new TinyModel(new TinyShape { HybridLayers = [], Vocabulary = 60 }).Save(_folder["small"]);
        var (code, _, error) = await T2rProcess.Run(["generate", _folder["small"]]);
        Assert.Equal(2, code);
        Assert.Contains("tokenizer.model", error);
        File.Copy(Path.Combine(_model, "tokenizer.model"), Path.Combine(_folder["small"], "tokenizer.model"));
        (code, _, error) = await T2rProcess.Run(["generate", _folder["small"]]);
        Assert.Equal(2, code);
        Assert.Contains("vocab_size", error);
    }

    private Process Start(params string[] options) => Process.Start(
        new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "t2r"), ["generate", _model, .. options]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
}
