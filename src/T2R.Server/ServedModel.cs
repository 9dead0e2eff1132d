using Microsoft.AspNetCore.Http;
using T2R.Generation.Serving;
using T2R.Models;
using T2R.Server.Api;
using T2R.Server.Chat;
using T2R.Server.Prompts;
using T2R.Tokenization;

namespace T2R.Server;

/// <summary>A model as clients know it.</summary>
/// <param name="Name">What they call it.</param>
/// <param name="Fingerprint">Its weights' (<see cref="ModelFolder.Fingerprint"/>).</param>
/// <param name="Engine">Generates.</param>
/// <param name="Tokenizer">Turns text into ids.</param>
/// <param name="Boundaries">The ids that begin and end a text.</param>
/// <param name="Template">Turns a conversation into a prompt; null if the model's own cannot be used, and then it does not chat.</param>
public sealed record ServedModel(string Name, string Fingerprint, Engine Engine, TextTokenizer Tokenizer, BoundaryIds Boundaries, ChatTemplate? Template)
{
    private const int CacheElementBytes = 2; // bf16

    /// <summary>When the server began to serve it, in seconds since 1970.</summary>
    public long Created { get; } = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    /// <summary>Ids are below this: the model may have rows that the tokenizer has no pieces for.</summary>
    internal int Vocabulary => Math.Min(Engine.Config.VocabularySize, Tokenizer.VocabularySize);

    /// <summary>Whether the tokenizer puts a space before each text.</summary>
    internal bool PutsSpaceBefore { get; } = Tokenizer.Split("a", controls: false)[0].Text != Tokenizer.NormalizeNext("a");

    /// <summary>Bytes of state that one sequence needs, however long; null if the model is not recurrent.</summary>
    public long? StateBytes => Engine.Config.IsRecurrent ? StateSize.Bytes(Engine.Config, 0, CacheElementBytes) : null;

    /// <summary>What clients are told of it.</summary>
    internal ModelEntry Entry => new(
        Name,
        "model",
        Created,
        "t2r",
        StateBytes,
        Engine.Config.Mixers.Sum(m => 2L * m.KeyValueSize * CacheElementBytes));

    /// <summary>Passes if a client means this model.</summary>
    /// <param name="name">What it calls it; null for the one there is.</param>
    /// <exception cref="ApiException">There is no such model.</exception>
    internal void CheckName(string? name)
    {
        if (name is not null && name != Name)
        {
            throw ApiException.WithStatus(StatusCodes.Status404NotFound, $"There is no model of that name; this server has '{Name}'.", "model_not_found", "model");
        }
    }

    /// <summary>Writes a prompt in the model's words.</summary>
    internal PromptWriter Writer()
    {
        int? end = Tokenizer.EndOfSentenceId ?? (Boundaries.Ends is [var first, ..] ? first : null), begin = Boundaries.PromptBegin ?? Boundaries.Begin;
        return new(Tokenizer, begin ?? end ?? 0, end ?? begin ?? 0);
    }

    /// <summary>Writes a text that is to be continued: what begins it comes first if the tokenizer puts it there.</summary>
    internal PromptWriter Begun() => Boundaries.PromptBegin is null ? Writer() : Writer().Begin();
}
