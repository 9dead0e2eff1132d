using System.CommandLine;
using System.Text;
using T2R.Generation;
using T2R.Generation.Decoding;
using T2R.Generation.Serving;
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
        var prompt = new Option<string?>("--prompt") { Description = "The text to continue, behind the token that the tokenizer puts before a text, if it does; without one the model begins a text.", HelpName = "TEXT" };
        var promptFile = new Option<string?>("--prompt-file") { Description = "A UTF-8 file that holds the prompt, taken as it is.", HelpName = "FILE" };
        var maxNewTokens = new Option<int>("--max-new-tokens") { Description = "Where the text ends at the latest.", DefaultValueFactory = _ => 256, HelpName = "N" };
        var temperature = new Option<double>("--temperature") { Description = "0 always takes the likeliest token.", DefaultValueFactory = _ => 0.8, HelpName = "X" };
        var topK = new Option<int?>("--top-k") { Description = "Choose among the K likeliest tokens.", HelpName = "K" };
        var topP = new Option<double>("--top-p") { Description = "Choose among the fewest tokens whose probabilities sum to P.", DefaultValueFactory = _ => 1, HelpName = "P" };
        var minP = new Option<double>("--min-p") { Description = "Choose among the tokens that are at least P times as probable as the likeliest.", DefaultValueFactory = _ => 0, HelpName = "P" };
        var penalty = new Option<double>("--repetition-penalty") { Description = "Above 1 makes tokens that the text has less likely.", DefaultValueFactory = _ => 1, HelpName = "X" };
        var stops = new Option<string[]>("--stop") { Description = "End before this text; may be given several times.", HelpName = "TEXT" };
        var seed = new Option<ulong>("--seed") { Description = "The same seed gives the same text.", DefaultValueFactory = _ => 0UL, HelpName = "N" };
        var saveState = new Option<string?>("--save-state") { Description = "Where to write the sequence's state at the end, however it comes: a small file, whatever the length of the text. Recurrent models only.", HelpName = "FILE" };
        var loadState = new Option<string?>("--load-state") { Description = "Go on from a state that was saved; a prompt comes after what it has read.", HelpName = "FILE" };
        var ignoreEos = new Option<bool>("--ignore-eos") { Description = "Go on past the end of a text." };
        var verbose = new Option<bool>("--verbose") { Description = "Say on standard error how fast it was and what the state takes, even if that is not a terminal." };
        var verb = new Verb("generate", "Continues a text and streams the continuation, it alone, to standard output.")
        {
            Examples =
            [
                "t2r generate out/gsa --prompt \"Returns the number of\" --max-new-tokens 200",
                "t2r generate out/gsa --temperature 0 --ignore-eos --max-new-tokens 20000",
                "t2r generate mistral-7b --prompt-file question.txt --temperature 0.7 --top-p 0.95 --seed 7 --device cuda --dtype bf16",
                "t2r generate out/gsa --prompt-file book.txt --max-new-tokens 0 --save-state book.state",
                "t2r generate out/gsa --load-state book.state --prompt \"In short, \" --stop \".\"",
            ],
        };
        model.AddTo(verb);
        foreach (Option option in new Option[] { prompt, promptFile, maxNewTokens, temperature, topK, topP, minP, penalty, stops, seed, ignoreEos, saveState, loadState, verbose })
        {
            verb.Options.Add(option);
        }

        verb.Does((parsed, stop) =>
        {
            var problems = new Problems();
            var request = new GenerationRequest
            {
                Prompt = [0], // until there is a tokenizer
                MaxNewTokens = parsed.GetValue(maxNewTokens),
                IgnoreEos = parsed.GetValue(ignoreEos),
                Stops = parsed.GetValue(stops) ?? [],
                KeepState = parsed.GetValue(saveState) is not null,
                Sampling = new SamplingOptions
                {
                    RepetitionPenalty = parsed.GetValue(penalty),
                    Temperature = parsed.GetValue(temperature),
                    TopK = parsed.GetValue(topK),
                    TopP = parsed.GetValue(topP),
                    MinP = parsed.GetValue(minP),
                    Seed = parsed.GetValue(seed),
                },
            };
            request.Validate(problems, int.MaxValue);
            string? text = problems.Try(() => Prompt(parsed.GetValue(prompt), parsed.GetValue(promptFile)));
            Device? device = model.Device(parsed, problems);
            ScalarType? dtype = model.Dtype(parsed, problems);
            QuantizedFormat? quantization = model.Quantization(parsed, problems);
            using ModelFolder? folder = model.Open(parsed, problems);
            TextTokenizer? tokenizer = folder is null ? null : problems.Try(folder.OpenTokenizer);
            BoundaryIds? boundaries = tokenizer is null ? null : ModelOptions.Boundaries(folder!, tokenizer, problems);
            string? fingerprint = folder?.Fingerprint();
            problems.Try(() => CheckStates(folder?.Config, parsed.GetValue(loadState), parsed.GetValue(saveState)));
            SequenceState? from = folder is { Config.IsRecurrent: true } && parsed.GetValue(loadState) is { } load ? problems.Try(() => StateFile.Read(load, folder.Config, fingerprint!)) : null;
            problems.ThrowIfAny();
            int[] ids = from is null ? boundaries!.EncodePrompt(tokenizer!, text!) : [.. tokenizer!.EncodeToIds(text!)];
            using CausalLM loaded = ModelOptions.Load(folder!, device!, dtype!.Value, quantization);
            using var engine = new Engine(Decoders.Open(loaded, slots: 1), tokenizer!, fingerprint, new EngineOptions { EndIds = boundaries!.Ends });
            request = request with { Prompt = ids, From = from };
            GenerationResult result = Run(engine, request, stop);
            if (result.State is { } state)
            {
                StateFile.Write(parsed.GetValue(saveState)!, state, engine.Config);
            }

            stop.ThrowIfCancellationRequested();
            if (parsed.GetValue(verbose) || !Console.IsErrorRedirected)
            {
                ShowStatistics(result, engine.Config, (from?.Length ?? 0) + ids.Length + result.NewTokens, DtypeName.Bytes(dtype.Value));
            }
        });
        return verb;
    }

    private static void CheckStates(ModelConfig? config, string? load, string? save)
    {
        if (config is { IsRecurrent: false } && (load ?? save) is not null)
        {
            throw new UserErrorException("--save-state and --load-state are for recurrent models, whose state does not grow; this one has softmax layers.");
        }

        if (save is not null && Directory.Exists(save))
        {
            throw new UserErrorException($"--save-state is {save}, which is a folder; give the path of a file.");
        }

        if (save is not null && !Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(save))))
        {
            throw new UserErrorException($"--save-state is {save}, whose folder does not exist; create it or choose another path.");
        }
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

    private static GenerationResult Run(Engine engine, GenerationRequest request, CancellationToken stop)
    {
        ModelOptions.WarnBeyondTraining(engine.Config, (request.From?.Length ?? 0) + request.Prompt.Count + request.MaxNewTokens);
        using Stream output = ResultStream.Open();
        RunningGeneration running = engine.Submit(request, stop);
        try
        {
            foreach (GenerationToken token in running.Tokens.ToBlockingEnumerable(CancellationToken.None))
            {
                if (token.Text.Length > 0)
                {
                    output.Write(Encoding.UTF8.GetBytes(token.Text));
                }
            }
        }
        catch (IOException e) when (ResultStream.IsGone(e))
        {
            // Whoever read has enough; leaving the tokens has ended the rest.
        }
        finally
        {
            if (!Console.IsOutputRedirected)
            {
                output.WriteByte((byte)'\n');
            }
        }

        return running.Result.GetAwaiter().GetResult();
    }

    // The last token is chosen and not read.
    private static void ShowStatistics(GenerationResult result, ModelConfig config, long length, int elementBytes)
    {
        string speed = result.NewTokens > 1
            ? $", {(result.NewTokens - 1) / result.AfterFirstToken.TotalSeconds:0.0} tokens/s after the first, which took {result.ToFirstToken.TotalMilliseconds:0} ms"
            : "";
        Screen.Note($"{result.NewTokens:N0} tokens{speed}; the state of {length - 1:N0} tokens takes {Quantity.Bytes(StateSize.Bytes(config, length - 1, elementBytes))}");
    }
}
