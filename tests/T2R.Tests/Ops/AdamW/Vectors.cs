using System.Runtime.Intrinsics;

namespace T2R.Tests.Ops.AdamW;

/// <summary>Eight at a time through what the step does eight at a time.</summary>
internal static class Vectors
{
    private static readonly Vector256<uint> Lanes = Vector256.Create(0u, 1, 2, 3, 4, 5, 6, 7);

    /// <summary>The hashes of places 0 … count − 1.</summary>
    public static uint[] Hashes(int count, ulong key, Func<Vector256<uint>, Vector256<uint>> part)
    {
        uint[] all = new uint[count];
        for (int i = 0; i < count; i += 8)
        {
            part(T2R.Ops.AdamW.RandomBits.Hash(Lanes + Vector256.Create((uint)i), key)).CopyTo(all, i);
        }

        return all;
    }

    /// <summary>Applies a function of numbers and random bits to one number and many random bits.</summary>
    public static IEnumerable<uint> Encoded(float value, uint[] random, Func<Vector256<float>, Vector256<uint>, Vector256<uint>> encode)
    {
        for (int i = 0; i < random.Length; i += 8)
        {
            var codes = encode(Vector256.Create(value), Vector256.Create(random, i));
            for (int j = 0; j < 8; j++)
            {
                yield return codes[j];
            }
        }
    }
}
