using System.Text;

namespace T2R.Server.Chat.Jinja;

/// <summary>Does something, and may write.</summary>
/// <param name="scope">What names stand for.</param>
/// <param name="output">What is written to.</param>
internal delegate JinjaFlow JinjaStatement(JinjaScope scope, StringBuilder output);
