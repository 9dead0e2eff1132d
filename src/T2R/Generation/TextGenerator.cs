using System.Runtime.CompilerServices;
using T2R.Generation.Decoding;
using T2R.Generation.Serving;
using T2R.Interop;
using T2R.Models;
using T2R.Ops.Quantized;
using T2R.Tokenization;
using static TorchSharp.torch;

namespace T2R.Generation;

/// <summary>
/// A model's folder, opened to generate text: a prompt goes in, and the text that continues it streams out. For any thread; several streams at once take turns for the
/// slots there are. <see cref="Engine"/> does what is not here: stop strings, log-probabilities, a recurrent model's state to keep and go on from.
/// </summary>
public sealed class TextGenerator : IDisposable
{
    private readonly CausalLM _model;

    private TextGenerator(CausalLM model, TextTokenizer tokenizer, BoundaryIds boundaries, Engine engine, IReadOnlyList<string> warnings) =>
        (_model, Tokenizer, Boundaries, Engine, Warnings) = (model, tokenizer, boundaries, engine, warnings);

    /// <summary>Generates; this disposes it.</summary>
    public Engine Engine { get; }

    /// <summary>Turns text into the model's ids.</summary>
    public TextTokenizer Tokenizer { get; }

    /// <summary>The ids that begin and end a text.</summary>
    public BoundaryIds Boundaries { get; }

    /// <summary>What is odd and does no harm, such as a config key that T2R does not know, or a part of the model that no kernel of T2R's takes on this card.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>Opens a folder, checks it and loads its weights. Loads libtorch first if need be, so nothing of TorchSharp's has to be touched before.</summary>
    /// <param name="folder">Holds config.json, SafeTensors weights and tokenizer.model or tokenizer.json: a recurrent or hybrid model of T2R's, or a Mistral or Llama.</param>
    /// <param name="device"><c>cpu</c>, <c>cuda</c> or <c>cuda:N</c>.</param>
    /// <param name="dtype">What weights and products are computed in: <c>fp32</c>, or <c>bf16</c>, which is what a card is fast in (<see cref="Decoders.LoadIn"/>).</param>
    /// <param name="quantization"><c>int8</c> or <c>int4</c> to hold the blocks' matrices in; null for what the folder holds.</param>
    /// <param name="slots">Streams that run at once, each with a state of its own.</param>
    /// <exception cref="UserErrorException">An argument or the folder is wrong: all that is, at once.</exception>
    /// <exception cref="DllNotFoundException">No libtorch was found; says where it looked and what to do.</exception>
    /// <exception cref="IOException">The disk fails.</exception>
    public static TextGenerator Open(string folder, string device = "cpu", string dtype = "fp32", string? quantization = null, int slots = 1)
    {
        LibTorch.Load();
        var problems = new Problems();
        var place = problems.Try(() => DeviceName.Parse(device));
        ScalarType numbers = default;
        problems.Try(() => { numbers = DtypeName.Parse(dtype); });
        var format = quantization is null ? null : problems.Try(() => QuantizedFormat.Parse(quantization));
        if (slots < 1)
        {
            problems.Add($"{slots} streams are to run at once; expected at least 1.");
        }

        using var opened = problems.Try(() => ModelFolder.Open(folder));
        var tokenizer = opened is null ? null : problems.Try(opened.OpenTokenizer);
        var boundaries = tokenizer is null ? null : problems.Try(() => opened!.Boundaries(tokenizer));
        problems.ThrowIfAny();
        numbers = Decoders.LoadIn(opened!.Config, place!, numbers);
        var model = opened.Load(place!, numbers, format);
        try
        {
            var engine = new Engine(Decoders.Open(model, slots), tokenizer!, opened.Fingerprint(), new EngineOptions { EndIds = boundaries!.Ends });
            return new TextGenerator(model, tokenizer!, boundaries, engine, [.. opened.Warnings, .. boundaries.Warnings, .. MissingKernels.On(opened.Config, numbers, place!)]);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Continues a text. It begins when it is enumerated, and leaving it early ends it; enumerated again, it generates again.</summary>
    /// <param name="prompt">The text; empty to begin one. The beginning-of-text id is put before it if the tokenizer says so (<see cref="BoundaryIds.PromptBegin"/>).</param>
    /// <param name="maxNewTokens">Where it ends at the latest, in tokens; it ends before that with the model's end-of-text token.</param>
    /// <param name="sampling">How tokens are chosen.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>Pieces of text, none empty, as they become certain; joined, they are what follows the prompt.</returns>
    /// <exception cref="UserErrorException">A value is out of range: all such at once. Or the model yields no numbers.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="EngineStoppedException">This was disposed before the text's end.</exception>
    /// <exception cref="TimeoutException">The text was not taken for so long that its slot went to others (<see cref="EngineOptions.ReaderPatience"/>).</exception>
    public async IAsyncEnumerable<string> StreamAsync(
        string prompt, int maxNewTokens = 256, SamplingOptions? sampling = null, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        var request = new GenerationRequest
        {
            Prompt = Boundaries.EncodePrompt(Tokenizer, prompt),
            MaxNewTokens = maxNewTokens,
            Sampling = sampling ?? new SamplingOptions(),
        };
        var running = Engine.Submit(request, cancellation);
        await foreach (var token in running.Tokens.WithCancellation(cancellation).ConfigureAwait(false))
        {
            if (token.Text.Length > 0)
            {
                yield return token.Text;
            }
        }

        if ((await running.Result.ConfigureAwait(false)).FinishReason == FinishReason.Cancelled)
        {
            cancellation.ThrowIfCancellationRequested();
            throw Engine.IsOpen
                ? new TimeoutException("The text was cut before its end: what came was not taken for too long, and the slot went to others; enumerate it faster, or keep it and use it later.")
                : new EngineStoppedException("The text was cut before its end: the generator was disposed.");
        }
    }

    /// <summary>Cancels what runs and lets the model go.</summary>
    public void Dispose()
    {
        Engine.Dispose();
        _model.Dispose();
    }
}
