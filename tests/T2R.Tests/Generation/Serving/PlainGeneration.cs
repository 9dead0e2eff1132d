using T2R.Generation;
using T2R.Generation.Decoding;
using T2R.Generation.Serving;

namespace T2R.Tests.Generation.Serving;

/// <summary>What a request yields when nothing else is there, as a loop that anyone can read.</summary>
internal static class PlainGeneration
{
    /// <summary>The new ids, the end-of-text id not among them.</summary>
    public static int[] Ids(IDecoder decoder, int vocabularySize, GenerationRequest request)
    {
        decoder.Clear(0);
        var sampler = new Sampler(request.Sampling, vocabularySize);
        sampler.Observe(request.Prompt);
        int[] unread = [.. request.Prompt];
        var ids = new List<int>();
        while (ids.Count < request.MaxNewTokens)
        {
            foreach (int[] piece in unread.Chunk(decoder.PrefillLength))
            {
                if (piece.Length > 1)
                {
                    decoder.Prefill(0, piece);
                }
                else
                {
                    decoder.Step([0], piece);
                }
            }

            int id = sampler.Next(decoder.Logits(0));
            sampler.Accept(id);
            if (decoder.Config.EosTokenIds.Contains(id) && !request.IgnoreEos)
            {
                break;
            }

            ids.Add(id);
            unread = [id];
        }

        return [.. ids];
    }
}
