using System.CommandLine;
using T2R.Checkpoints;
using T2R.Data;
using T2R.Tokenization;

namespace T2R.Cli.Verbs;

internal static class TrainTokenizerVerb
{
    public static Command Create()
    {
        var verb = new Verb("train-tokenizer", "Trains a SentencePiece BPE tokenizer with byte fallback, as Llama's and Mistral's, on text.")
        {
            Examples =
            [
                "t2r train-tokenizer --out my-model/tokenizer.model --vocabulary-size 4096 corpus/",
                "t2r train-tokenizer --out tokenizer.model --vocabulary-size 2048 nuget:Microsoft.NETCore.App.Ref/10.0.12/ref/net10.0/*.xml",
            ],
            UsesLibTorch = false,
        };
        var inputs = new Argument<string[]>("INPUT")
        {
            Description = "Files (.txt, .md, .jsonl, .xml documentation, each plain, .gz or .zst; .parquet), folders, globs or nuget:Package/version/glob.",
            Arity = ArgumentArity.OneOrMore,
        };
        var output = new Option<string>("--out") { Description = "The tokenizer.model to write; a file there is replaced.", Required = true, HelpName = "FILE" };
        var size = new Option<int>("--vocabulary-size") { Description = "How many pieces, the 259 special ones included.", Required = true };
        var coverage = new Option<float>("--character-coverage")
        {
            Description = "The share of the text's characters that get a piece of their own.",
            DefaultValueFactory = _ => 0.9995f,
        };
        var field = new Option<string>("--field") { Description = "The field of JSON lines, or column of Parquet, that holds the text.", DefaultValueFactory = _ => "text" };
        verb.Arguments.Add(inputs);
        foreach (Option option in (Option[])[output, size, coverage, field])
        {
            verb.Options.Add(option);
        }

        verb.Does((parsed, stop) =>
        {
            var trainer = new BytePairTrainer { VocabularySize = parsed.GetValue(size), CharacterCoverage = parsed.GetValue(coverage) };
            ICorpus corpus = CorpusReader.Open(parsed.GetRequiredValue(inputs), field: parsed.GetValue(field)!);
            string path = parsed.GetRequiredValue(output);

            // Trained inside, so that a target that cannot be written shows before the work.
            AtomicFile.Write(path, stream =>
            {
                using var progress = new ProgressReporter();
                stream.Write(trainer.Train(corpus.Documents().Select(document => document.Text), progress, stop).ToBytes());
            });
            Screen.Print($"{trainer.VocabularySize:N0} pieces lie in {path}.");
        });
        return verb;
    }
}
