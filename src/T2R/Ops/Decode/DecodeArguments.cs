using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace T2R.Ops.Decode;

/// <summary>What the kernels of <c>Decode.cu</c> are given, laid out as in <c>Arguments.cuh</c>.</summary>
internal static class DecodeArguments
{
    /// <summary>Sequences of a launch.</summary>
    public const int MostSequences = 64;

    private const int MostWeights = 4;

    /// <summary>Four addresses.</summary>
    [InlineArray(MostWeights)]
    internal struct Addresses
    {
        private nint _first;
    }

    /// <summary>Four rows.</summary>
    [InlineArray(MostWeights)]
    internal struct Ends
    {
        private int _first;
    }

    /// <summary>A number for each sequence.</summary>
    [InlineArray(MostSequences)]
    internal struct PerSequence
    {
        private int _first;

        /// <summary>Those given, then zeros.</summary>
        public static PerSequence Of(ReadOnlySpan<int> numbers)
        {
            var all = default(PerSequence);
            numbers.CopyTo(all);
            return all;
        }
    }

    /// <summary>Several weights of one depth whose rows stand one below the other.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Stack
    {
        public Addresses Codes, Scales;
        public Ends Ends;

        /// <summary>Stacks weights.</summary>
        /// <param name="weights">One to four.</param>
        public static Stack Of(ReadOnlySpan<DecodeWeight> weights)
        {
            var stack = default(Stack);
            int end = 0;
            for (int i = 0; i < MostWeights; i++)
            {
                var weight = weights[Math.Min(i, weights.Length - 1)];
                end += i < weights.Length ? weight.Rows : 0;
                (stack.Codes[i], stack.Scales[i], stack.Ends[i]) = (weight.Codes, weight.Scales, end);
            }

            return stack;
        }

        /// <summary>Rows of all.</summary>
        public readonly int Rows => Ends[MostWeights - 1];
    }

    /// <summary>Sums of squares of what a norm reads.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Squares
    {
        public nint Parts;
        public int Count, Size;
        public float Epsilon, Scale;
    }

    /// <summary>The residual stream, and what the norm after it needs.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Stream
    {
        public nint Numbers, Norm, Normed, Squares;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct ProjectArguments
    {
        public Stack Stack;
        public nint Inputs;
        public Squares Squares;
        public int Depth, Batch, Rows;
        public nint Outputs, Gated;
        public Stream Stream;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct SlotStepArguments
    {
        public nint Products, Keys, Values, Norm, Normed, Squares;
        public int Heads;
        public float Rate;
        public PerSequence Slots;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct EmbedArguments
    {
        public nint Embedding;
        public int Rows;
        public Stream Stream;
        public PerSequence Ids;
    }
}
