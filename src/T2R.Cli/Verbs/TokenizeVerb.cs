using System.CommandLine;
using System.Text.Json;
using T2R.Checkpoints;
using T2R.Tokenization;

namespace T2R.Cli.Verbs;

internal static class TokenizeVerb
{
    public static Command Create()
    {
        var verb = new Verb("tokenize", "Encodes texts with a folder's tokenizer, to compare with another implementation. Adds no beginning or end of sentence.")
        {
            Examples = ["t2r tokenize Mistral-7B-v0.1 --in texts.json", "t2r tokenize Mistral-7B-v0.1 --in texts.json --out ids.json"],
            UsesLibTorch = false,
        };
        var folder = new Argument<string>("FOLDER") { Description = "Any folder with a tokenizer.model or a tokenizer.json." };
        var input = new Option<string>("--in") { Description = "A JSON array of strings.", Required = true, HelpName = "FILE" };
        var output = new Option<string?>("--out") { Description = "Where to write the JSON array of arrays of ids; standard output unless given.", HelpName = "FILE" };
        verb.Arguments.Add(folder);
        verb.Options.Add(input);
        verb.Options.Add(output);
        verb.Does((parsed, stop) =>
        {
            var problems = new Problems();
            TextTokenizer? tokenizer = problems.Try(() => TokenizerFolder.Open(parsed.GetRequiredValue(folder)));
            List<string>? texts = problems.Try(() => JsonTexts.Read(parsed.GetRequiredValue(input)));
            problems.ThrowIfAny();
            if (parsed.GetValue(output) is { } path)
            {
                AtomicFile.Write(path, stream => Write(stream, tokenizer!, texts!, stop));
                return;
            }

            using Stream result = ResultStream.Open();
            try
            {
                Write(result, tokenizer!, texts!, stop);
            }
            catch (IOException e) when (ResultStream.IsGone(e))
            {
                // Who reads only the beginning has what they want.
            }
        });
        return verb;
    }

    private static void Write(Stream stream, TextTokenizer tokenizer, List<string> texts, CancellationToken stop)
    {
        // Not disposed: that would write what is left to a reader that has gone.
        var writer = new Utf8JsonWriter(stream);
        List<int> ids = [];
        writer.WriteStartArray();
        foreach (string text in texts)
        {
            stop.ThrowIfCancellationRequested();
            ids.Clear();
            tokenizer.AppendIds(text, ids);
            writer.WriteStartArray();
            ids.ForEach(writer.WriteNumberValue);
            writer.WriteEndArray();
            if (writer.BytesPending > 1 << 16)
            {
                writer.Flush();
            }
        }

        writer.WriteEndArray();
        writer.Flush();
        stream.Write("\n"u8);
    }
}
