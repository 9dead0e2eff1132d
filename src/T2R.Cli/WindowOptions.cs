using System.CommandLine;
using T2R.Data;
using T2R.Evaluation;
using T2R.Models;
using T2R.Tokenization;

namespace T2R.Cli;

/// <summary>Which text a verb measures a model on, and how it is cut: the same options wherever a perplexity is measured.</summary>
/// <param name="required">Whether there must be a text.</param>
internal sealed class WindowOptions(bool required)
{
    private readonly Option<string?> _data = new("--data") { Description = "Text: .txt, .md, .jsonl, with .gz or .zst if compressed, .parquet; or token ids: .u16.", Required = required, HelpName = "FILE" };
    private readonly Option<string> _field = new("--field") { Description = "Field of .jsonl, or column of .parquet, that holds the text.", DefaultValueFactory = _ => "text", HelpName = "NAME" };
    private readonly Option<int?> _windows = new("--windows") { Description = "How many windows from the beginning; without it all.", HelpName = "N" };
    private readonly Option<int> _windowLength = new("--window-length") { Description = "Tokens in a window; each predicts one less.", DefaultValueFactory = _ => 1024, HelpName = "T" };
    private readonly Option<int> _batchSize = new("--batch-size") { Description = "Windows computed side by side.", DefaultValueFactory = _ => 8, HelpName = "B" };

    /// <summary>Adds the options to a verb.</summary>
    public void AddTo(Command verb)
    {
        foreach (Option option in (Option[])[_data, _field, .. OfWindows])
        {
            verb.Options.Add(option);
        }
    }

    /// <summary>Those that say how it is cut.</summary>
    public IReadOnlyList<Option> OfWindows => [_windows, _windowLength, _batchSize];

    /// <summary>The text's path; null when none is given.</summary>
    public string? Path(ParseResult parsed) => parsed.GetValue(_data);

    /// <summary>Windows computed side by side.</summary>
    public int BatchSize(ParseResult parsed) => parsed.GetValue(_batchSize);

    /// <summary>How many of a text's windows are measured.</summary>
    public int Count(ParseResult parsed, PackedWindows windows) => Math.Min(parsed.GetValue(_windows) ?? int.MaxValue, windows.Count);

    /// <summary>Checks the options, and finds the text and what it needs; reading may take long and comes after every check.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="folder">The model; null when it could not be opened.</param>
    /// <param name="progress">Hears of the reading.</param>
    /// <param name="problems">Receives what is wrong.</param>
    /// <param name="stop">Stops the reading.</param>
    /// <returns>Reads the text, whose ids are all the model's; null with a problem, or when no text is given.</returns>
    public Func<TokenStream>? Find(ParseResult parsed, ModelFolder? folder, ProgressReporter progress, Problems problems, CancellationToken stop)
    {
        AtLeast(parsed.GetValue(_windows) ?? 1, 1, _windows.Name, problems);
        AtLeast(parsed.GetValue(_windowLength), 2, _windowLength.Name, problems);
        AtLeast(parsed.GetValue(_batchSize), 1, _batchSize.Name, problems);
        if (Path(parsed) is not { } path || problems.Try(() => Reader(path, parsed.GetRequiredValue(_field), folder, progress, stop)) is not { } read)
        {
            return null;
        }

        return () =>
        {
            TokenStream stream = read();
            CheckIds(stream, folder!.Config, path);
            return stream;
        };
    }

    /// <summary>A text cut into windows.</summary>
    public PackedWindows Cut(ParseResult parsed, TokenStream text) => new(text, parsed.GetValue(_windowLength), seed: 0);

    /// <summary>Measures a model in the chunk form.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="model">The model.</param>
    /// <param name="windows">The text.</param>
    /// <param name="resets">Whether states and attention begin anew at documents inside a window.</param>
    /// <param name="progress">Hears of the windows.</param>
    /// <param name="stop">Stops between batches.</param>
    public Perplexity Measure(ParseResult parsed, CausalLM model, PackedWindows windows, bool resets, ProgressReporter progress, CancellationToken stop) =>
        Perplexity.Of(model, Report(windows.Sequential(Count(parsed, windows), BatchSize(parsed), model.Device), Count(parsed, windows), progress, stop), resets);

    private static void AtLeast(int given, int least, string option, Problems problems)
    {
        if (given < least)
        {
            problems.Add($"{option} is {given}; expected at least {least}.");
        }
    }

    private static Func<TokenStream> Reader(string path, string field, ModelFolder? folder, ProgressReporter progress, CancellationToken stop)
    {
        if (CorpusReader.FormatOf(path) == CorpusFormat.U16)
        {
            // Ids that were made elsewhere need no tokenizer in the folder.
            TextTokenizer? own = folder is not null && TokenizerFolder.IsIn(folder.Path) ? folder.OpenTokenizer() : null;
            TokenStream ids = TokenStream.FromFile(path, folder is null ? 0 : Begin(folder, own) ?? folder.Config.BosTokenId);
            return () => ids;
        }

        ICorpus corpus = CorpusReader.Open([path], field: field);
        TextTokenizer? tokenizer = folder?.OpenTokenizer();
        int begin = folder is null ? 0 : Begin(folder, tokenizer)
            ?? throw new UserErrorException($"{folder.Path}: names no token that begins a document; name it as bos_token in tokenizer_config.json.");
        return () => TokenStream.Build(corpus, tokenizer!, begin, new TokenizingOptions { Progress = progress, Cancellation = stop });
    }

    private static int? Begin(ModelFolder folder, TextTokenizer? tokenizer)
    {
        BoundaryIds boundaries = folder.Boundaries(tokenizer);
        foreach (string warning in boundaries.Warnings)
        {
            Screen.Warn(warning);
        }

        return boundaries.Begin;
    }

    private static void CheckIds(TokenStream stream, ModelConfig config, string path)
    {
        long[] ids = new long[1 << 16];
        for (long start = 0; start < stream.Count; start += ids.Length)
        {
            Span<long> piece = ids.AsSpan(0, (int)Math.Min(ids.Length, stream.Count - start));
            stream.CopyTo(start, piece);
            if (piece.IndexOfAnyExceptInRange(0, config.VocabularySize - 1) is var at and >= 0)
            {
                throw new UserErrorException($"{path}: id {piece[at]} at position {start + at}; the model has {config.VocabularySize} (vocab_size): the ids are of another tokenizer.");
            }
        }
    }

    private static IEnumerable<Batch> Report(IEnumerable<Batch> batches, int windows, ProgressReporter progress, CancellationToken stop)
    {
        long done = 0;
        foreach (Batch batch in batches)
        {
            stop.ThrowIfCancellationRequested();
            long count = batch.Ids.shape[0];
            yield return batch;
            progress.Report(new StageProgress("eval", done += count, windows, "windows"));
        }
    }
}
