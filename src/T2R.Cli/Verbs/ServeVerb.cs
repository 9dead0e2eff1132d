using System.CommandLine;
using System.Net;
using T2R.Cli.Serve;
using T2R.Generation.Decoding;
using T2R.Generation.Serving;
using T2R.Models;
using T2R.Ops.Quantized;
using T2R.Server;
using T2R.Server.Chat;
using T2R.Tokenization;
using static TorchSharp.torch;

namespace T2R.Cli.Verbs;

internal static class ServeVerb
{
    private const double MostDrain = 3600;

    public static Command Create()
    {
        var defaults = new ServerOptions();
        var model = new ModelOptions();
        var host = new Option<string>("--host") { Description = "The address to listen at: this machine alone, unless it says otherwise.", DefaultValueFactory = _ => "127.0.0.1", HelpName = "ADDRESS" };
        var port = new Option<int>("--port") { Description = "The port; 0 for one that is free.", DefaultValueFactory = _ => defaults.Port, HelpName = "N" };
        var key = new Option<string?>("--api-key") { Description = "What clients must send as their key. Other users of this machine can see it; --api-key-file hides it.", HelpName = "KEY" };
        var keyFile = new Option<string?>("--api-key-file") { Description = "A file that holds the key.", HelpName = "FILE" };
        var name = new Option<string?>("--name") { Description = "What clients call the model; the folder's name unless given.", HelpName = "NAME" };
        var template = new Option<string?>("--chat-template") { Description = $"How conversations are written: {string.Join(", ", ChatTemplates.Names)}. The model's folder says it unless given.", HelpName = "NAME" };
        var slots = new Option<int>("--slots") { Description = "Sequences that run at once.", DefaultValueFactory = _ => 8, HelpName = "N" };
        var maxQueue = new Option<int>("--max-queue") { Description = "Requests that wait for a slot; further ones are told to try again.", DefaultValueFactory = _ => 256, HelpName = "N" };
        var maxPrompt = new Option<int>("--max-prompt-tokens") { Description = "The longest prompt.", DefaultValueFactory = _ => defaults.MaxPromptTokens, HelpName = "N" };
        var maxNew = new Option<int>("--max-new-tokens") { Description = "The most new tokens of a request.", DefaultValueFactory = _ => defaults.MaxNewTokens, HelpName = "N" };
        var maxBody = new Option<long>("--max-body") { Description = "The most bytes of a request.", DefaultValueFactory = _ => defaults.MaxBodyBytes, HelpName = "BYTES" };
        var sessions = new Option<int>("--sessions") { Description = "Sessions whose state is kept; 0 for none.", DefaultValueFactory = _ => defaults.MaxSessions, HelpName = "N" };
        var drain = new Option<double>("--drain") { Description = "How long requests may take to end when the server is stopped, in seconds.", DefaultValueFactory = _ => 30, HelpName = "SECONDS" };
        var log = new Option<string?>("--log") { Description = "A file that receives what is logged, one JSON object a line.", HelpName = "FILE" };
        var verb = new Verb("serve", "Serves a model over HTTP as OpenAI's interface has it, with a page to try it on.")
        {
            Examples =
            [
                "t2r serve runs/quickstart/export",
                "t2r serve Mistral-7B-GSA --device cuda --dtype bf16 --slots 64 --host 0.0.0.0 --api-key-file key.txt",
                "t2r serve runs/quickstart/export --port 9000 --name docs --log serve.jsonl --drain 5",
            ],
        };
        model.AddTo(verb);
        foreach (Option option in new Option[] { host, port, key, keyFile, name, template, slots, maxQueue, maxPrompt, maxNew, maxBody, sessions, drain, log })
        {
            verb.Options.Add(option);
        }

        verb.Does((parsed, stop) =>
        {
            var problems = new Problems();
            var options = new ServerOptions
            {
                Host = Address(parsed.GetRequiredValue(host), problems),
                Port = parsed.GetValue(port),
                ApiKey = Key(parsed.GetValue(key), parsed.GetValue(keyFile), problems),
                MaxBodyBytes = parsed.GetValue(maxBody),
                MaxPromptTokens = parsed.GetValue(maxPrompt),
                MaxNewTokens = parsed.GetValue(maxNew),
                MaxSessions = parsed.GetValue(sessions),
            };
            var engineOptions = new EngineOptions { MaxQueue = parsed.GetValue(maxQueue) };
            options.Validate(problems);
            engineOptions.Validate(problems);
            TimeSpan patience = Drain(parsed.GetValue(drain), problems);
            if (parsed.GetValue(slots) < 1)
            {
                problems.Add($"--slots is {parsed.GetValue(slots)}; expected at least 1.");
            }

            Device? device = model.Device(parsed, problems);
            ScalarType? dtype = model.Dtype(parsed, problems);
            QuantizedFormat? quantization = model.Quantization(parsed, problems);
            using ModelFolder? folder = model.Open(parsed, problems);
            TextTokenizer? tokenizer = folder is null ? null : problems.Try(folder.OpenTokenizer);
            BoundaryIds? boundaries = tokenizer is null ? null : ModelOptions.Boundaries(folder!, tokenizer, problems);
            ChatTemplate? chat = tokenizer is null ? null : Template(parsed.GetValue(template), folder!, tokenizer, boundaries?.Ends ?? [], problems);
            problems.ThrowIfAny();
            using var logs = new ServerLog(parsed.GetValue(log));
            string fingerprint = folder!.Fingerprint(), called = parsed.GetValue(name) ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder.Path)));
            using CausalLM loaded = ModelOptions.Load(folder, device!, dtype!.Value, quantization);
            var engine = new Engine(Decoders.Open(loaded, parsed.GetValue(slots)), tokenizer!, fingerprint, engineOptions with { EndIds = boundaries!.Ends });
            Serve(new ServedModel(called, fingerprint, engine, tokenizer!, boundaries, chat), options, logs, patience, stop).GetAwaiter().GetResult();
        });
        return verb;
    }

    private static async Task Serve(ServedModel model, ServerOptions options, ServerLog logs, TimeSpan drain, CancellationToken stop)
    {
        if (model.Template is null)
        {
            logs.Warn($"the model has no chat template that can be used, so /v1/chat/completions is refused; --chat-template chooses one of {string.Join(", ", ChatTemplates.Names)}");
        }

        if (!IPAddress.IsLoopback(options.Host) && options.ApiKey is null)
        {
            logs.Warn($"everyone who reaches {options.Host} can use this server: it has no key; --api-key-file gives it one");
        }

        await using HttpServer server = await HttpServer.StartAsync(model, options, logs.Factory, stop);
        logs.Note("serving {Model:l} at {Address:l}, {Slots} sequences at once", model.Name, server.Address.ToString(), model.Engine.Slots);
        if (model.StateBytes is { } each && options.MaxSessions > 0)
        {
            logs.Note("up to {Sessions} sessions keep their state, {Each:l} each: {All:l}", options.MaxSessions, Quantity.Bytes(each), Quantity.Bytes((double)each * options.MaxSessions));
        }

        await Task.Delay(Timeout.Infinite, stop).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        logs.Note("stopping; what runs may take {Seconds} s to end", drain.TotalSeconds);
        await server.StopAsync(drain);
        logs.Note("stopped");
    }

    private static IPAddress Address(string given, Problems problems)
    {
        if (given == "localhost")
        {
            return IPAddress.Loopback;
        }

        if (IPAddress.TryParse(given, out IPAddress? address))
        {
            return address;
        }

        problems.Add($"--host is '{given}'; expected an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them.");
        return IPAddress.Loopback;
    }

    private static string? Key(string? key, string? file, Problems problems)
    {
        if (key is not null && file is not null)
        {
            problems.Add("--api-key and --api-key-file are both given; give one.");
        }

        if (file is null)
        {
            return key;
        }

        if (File.Exists(file))
        {
            return File.ReadAllText(file).Trim();
        }

        problems.Add($"{file}: no such file; expected the API key.");
        return null;
    }

    private static TimeSpan Drain(double seconds, Problems problems)
    {
        if (seconds is >= 0 and <= MostDrain)
        {
            return TimeSpan.FromSeconds(seconds);
        }

        problems.Add($"--drain is {seconds}; expected 0 to {MostDrain} seconds.");
        return TimeSpan.Zero;
    }

    private static ChatTemplate? Template(string? name, ModelFolder folder, TextTokenizer tokenizer, IReadOnlyList<int> ends, Problems problems)
    {
        if (name is null)
        {
            return FolderTemplate(folder);
        }

        ChatTemplate? template = problems.Try(() => ChatTemplates.Named(name));
        if (template is not null)
        {
            ChatTemplates.Check(template, tokenizer, ends, problems);
        }

        return template;
    }

    // Without it the model still completes texts.
    private static ChatTemplate? FolderTemplate(ModelFolder folder)
    {
        try
        {
            return ChatTemplates.Of(folder.Path);
        }
        catch (UserErrorException e)
        {
            Screen.Warn(e.Message);
            return null;
        }
    }
}
