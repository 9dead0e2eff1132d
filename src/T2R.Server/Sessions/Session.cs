using T2R.Generation;
using T2R.Server.Prompts;

namespace T2R.Server.Sessions;

/// <summary>What a model remembers of a text, to go on from when a request's prompt begins with that text.</summary>
/// <param name="Text">What it has read and generated.</param>
/// <param name="State">What it remembers of that.</param>
internal sealed record Session(Prompt Text, SequenceState State);
