using System.Net;

namespace T2R.Server;

/// <summary>Where a server listens and what it takes on.</summary>
public sealed record ServerOptions
{
    /// <summary>The most completions of one request: prompts times <c>n</c>.</summary>
    public const int MaxChoices = 128;

    /// <summary>The most connections at once; further ones are closed.</summary>
    public const int MaxConnections = 2048;

    /// <summary>The address it listens at.</summary>
    public IPAddress Host { get; init; } = IPAddress.Loopback;

    /// <summary>The port; 0 for one that is free.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>What a client must show as its bearer token; null for nothing.</summary>
    public string? ApiKey { get; init; }

    /// <summary>The most bytes of a request's body.</summary>
    public long MaxBodyBytes { get; init; } = 4 << 20;

    /// <summary>The most ids of a prompt. A recurrent model reads any number; reading them takes time that others wait.</summary>
    public int MaxPromptTokens { get; init; } = 32768;

    /// <summary>The most new tokens that a request may ask for.</summary>
    public int MaxNewTokens { get; init; } = 4096;

    /// <summary>How many sessions' states are kept; the least recently used goes first. 0 keeps none.</summary>
    public int MaxSessions { get; init; } = 64;

    /// <summary>Adds a sentence for each value out of range.</summary>
    /// <param name="problems">Receives them.</param>
    public void Validate(Problems problems)
    {
        Check(Port is >= 0 and <= 65535, $"The port is {Port}; expected 0 (any that is free) to 65535.");
        Check(ApiKey is null || (ApiKey.Length > 0 && ApiKey.All(c => c is > ' ' and <= '~')), "The API key is empty or not fit for a header; expected letters, digits and signs of ASCII.");
        Check(MaxBodyBytes > 0, $"The most bytes of a body are {MaxBodyBytes}; expected at least 1.");
        Check(MaxPromptTokens > 0, $"The most tokens of a prompt are {MaxPromptTokens}; expected at least 1.");
        Check(MaxNewTokens > 0, $"The most new tokens are {MaxNewTokens}; expected at least 1.");
        Check(MaxSessions >= 0, $"The number of sessions is {MaxSessions}; expected 0 (none) or more.");

        void Check(bool holds, string sentence)
        {
            if (!holds)
            {
                problems.Add(sentence);
            }
        }
    }
}
