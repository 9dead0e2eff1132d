using System.CommandLine;
using System.Diagnostics;
using System.Text;
using T2R.Generation;
using T2R.Mixers;
using T2R.Models;
using T2R.Ops.Quantized;
using T2R.Tokenization;
using static TorchSharp.torch;

namespace T2R.Cli.Verbs;

internal static class GenerateVerb
{
    public static Command Create()
    {
        var model = new ModelOptions();
        var prompt = new Option<string?>("--prompt") { Description = "The text to continue; without one the model begins a text.", HelpName = "TEXT" };
        var promptFile = new Option<string?>("--prompt-file") { Description = "A UTF-8 file that holds the prompt, taken as it is.", HelpName = "FILE" };
        var maxNewTokens = new Option<int>("--max-new-tokens") { Description = "Where the text ends at the latest.", DefaultValueFactory = _ => 256, HelpName = "N" };
        var temperature = new Option<double>("--temperature") { Description = "0 always takes the likeliest token.", DefaultValueFactory = _ => 0.8, HelpName = "X" };
        var topK = new Option<int?>("--top-k") { Description = "Choose among the K likeliest tokens.", HelpName = "K" };
        var topP = new Option<double>("--top-p") { Description = "Choose among the fewest tokens whose probabilities sum to P.", DefaultValueFactory = _ => 1, HelpName = "P" };
        var seed = new Option<ulong>("--seed") { Description = "The same seed gives the same text.", DefaultValueFactory = _ => 0UL, HelpName = "N" };
        var ignoreEos = new Option<bool>("--ignore-eos") { Description = "Go on past the end of a text." };
        var verbose = new Option<bool>("--verbose") { Description = "Say on standard error how fast it was and what the state takes, even if that is not a terminal." };
        var verb = new Verb("generate", "Continues a text and streams the continuation, it alone, to standard output.")
        {
            Examples =
            [
                "t2r generate out/gsa --prompt \"Returns the number of\" --max-new-tokens 200",
                "t2r generate out/gsa --temperature 0 --ignore-eos --max-new-tokens 20000",
                "t2r generate mistral-7b --prompt-file question.txt --temperature 0.7 --top-p 0.95 --seed 7 --device cuda --dtype bf16",
            ],
        };
        model.AddTo(verb);
        foreach (Option option in new Option[] { prompt, promptFile, maxNewTokens, temperature, topK, topP, seed, ignoreEos, verbose })
        {
            verb.Options.Add(option);
        }

        verb.Does((parsed, stop) =>
        {
            var problems = new Problems();
            var options = new GenerationOptions
            {
                MaxNewTokens = parsed.GetValue(maxNewTokens),
                IgnoreEos = parsed.GetValue(ignoreEos),
                Sampling = new SamplingOptions
                {
                    Temperature = parsed.GetValue(temperature),
                    TopK = parsed.GetValue(topK),
                    TopP = parsed.GetValue(topP),
                    Seed = parsed.GetValue(seed),
                },
            };
            options.Validate(problems);
            string? text = problems.Try(() => Prompt(parsed.GetValue(prompt), parsed.GetValue(promptFile)));
            Device? device = model.Device(parsed, problems);
            ScalarType? dtype = model.Dtype(parsed, problems);
            QuantizedFormat? quantization = model.Quantization(parsed, problems);
            using ModelFolder? folder = model.Open(parsed, problems);
            SentencePieceTokenizer? tokenizer = folder is null ? null : problems.Try(() => ModelOptions.OpenTokenizer(folder));
            problems.ThrowIfAny();
            using CausalLM loaded = ModelOptions.Load(folder!, device!, dtype!.Value, quantization);
            Run(loaded, tokenizer!, text!, options, parsed.GetValue(verbose) || !Console.IsErrorRedirected, stop);
        });
        return verb;
    }

    private static string Prompt(string? text, string? file)
    {
        if (text is not null && file is not null)
        {
            throw new UserErrorException("--prompt and --prompt-file are both given; give one.");
        }

        if (file is null)
        {
            return text ?? "";
        }

        if (!File.Exists(file))
        {
            throw new UserErrorException($"{file}: no such file; expected the prompt as UTF-8 text.");
        }

        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(file));
        }
        catch (DecoderFallbackException)
        {
            throw new UserErrorException($"{file}: not UTF-8 text; save it as UTF-8.");
        }
    }

    private static void Run(CausalLM model, SentencePieceTokenizer tokenizer, string prompt, GenerationOptions options, bool showStatistics, CancellationToken stop)
    {
        IReadOnlyList<int> ids = tokenizer.EncodeToIds(prompt);
        WarnBeyondTraining(model.Config, ids.Count + 1L + options.MaxNewTokens);
        using var session = new DecodingSession(model);
        using Stream output = ResultStream.Open();
        var decoder = new IncrementalDecoder(tokenizer);
        var began = Stopwatch.GetTimestamp();
        TimeSpan first = TimeSpan.Zero;
        int count = 0;
        try
        {
            foreach (int id in TextGenerator.Generate(session, ids, options with { VocabularySize = tokenizer.VocabularySize }, stop))
            {
                first = count++ == 0 ? Stopwatch.GetElapsedTime(began) : first;
                Write(decoder.Append(id));
            }

            Write(decoder.Flush());
        }
        catch (IOException e) when (ResultStream.IsGone(e))
        {
            return;
        }
        finally
        {
            if (!Console.IsOutputRedirected)
            {
                output.WriteByte((byte)'\n');
            }
        }

        if (showStatistics)
        {
            ShowStatistics(session, count, first, Stopwatch.GetElapsedTime(began) - first);
        }

        void Write(string text)
        {
            if (text.Length > 0)
            {
                output.Write(Encoding.UTF8.GetBytes(text));
            }
        }
    }

    private static void WarnBeyondTraining(ModelConfig config, long length)
    {
        if (length > config.MaxPositionEmbeddings && config.Mixers.Any(m => m is SoftmaxAttentionConfig { SlidingWindow: null }))
        {
            Screen.Warn($"the model was made for {config.MaxPositionEmbeddings} positions and its softmax layers may not make sense beyond; the text can have {length}.");
        }
    }

    // The first token's time is that of reading the prompt.
    private static void ShowStatistics(DecodingSession session, int count, TimeSpan first, TimeSpan rest)
    {
        string speed = count > 1 ? $", {(count - 1) / rest.TotalSeconds:0.0} tokens/s after the first, which took {first.TotalMilliseconds:0} ms" : "";
        Screen.Note($"{count:N0} tokens{speed}; the state of {session.Length:N0} tokens takes {Quantity.Bytes(session.StateBytes)}");
    }
}
