using T2R.Generation;

string folder = args[0], prompt = args[1];
using var generator = TextGenerator.Open(folder);
await foreach (string text in generator.StreamAsync(prompt, maxNewTokens: 100, new SamplingOptions { Temperature = 0 }))
{
    Console.Write(text);
}
