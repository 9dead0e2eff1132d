using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Ops;

/// <summary>The card's kernels, compiled for the CPU by <c>tests/Emulator</c>, against their formulas in float64: arithmetic and reach, without a card.</summary>
public class EmulatedKernelTests
{
    // The program, what the kernel is compiled for, and the program's arguments, which its README explains.
    public static TheoryData<string, string, string> Cases => new()
    {
        { "gated_slot", "KEYS=64 VALUES=96 SLOTS=32 MAPS=0 MOST_SHARED=232448", "2 150 1 3 1 2" },
        { "gated_slot", "KEYS=128 VALUES=128 SLOTS=64 MAPS=1 MOST_SHARED=101376", "1 130 1 4 1 0" },
        { "gated_slot", "KEYS=64 VALUES=64 SLOTS=16 MAPS=0 MOST_SHARED=232448", "1 65 2 1 20 2" },
        { "gated_slot", "HALF=1 KEYS=128 VALUES=128 SLOTS=64 MAPS=1 MOST_SHARED=101376", "1 130 1 4 1 1" },
        { "gated_slot", "HALF=1 KEYS=64 VALUES=96 SLOTS=32 MAPS=0 MOST_SHARED=232448", "2 150 1 3 20 2" },
        { "dequantize", "WEIGHTS=8", "48 192" },
        { "dequantize", "HALF=1 WEIGHTS=4", "80 128" },
        { "rms_norm", "WIDTH=256 THREADS=128 SILU=0", "37 4" },
        { "rms_norm", "WIDTH=256 THREADS=128 SILU=1", "37 4" },
        { "rms_norm", "HALF=1 WIDTH=256 THREADS=128 SILU=1", "37 4" },
        { "swiglu", "", "4096" },
        { "swiglu", "HALF=1", "4096" },
        { "fp8_cast", "", "160 272" },
        { "fp8_cast", "", "16 128" },
        { "cross_entropy", "", "5 1003" },
        { "sum_of_squares", "", "5000 3" },
        { "choose", "", "777" },
        { "decode", "WEIGHTS=16 MOST_SHARED=232448 KEYS=64 VALUES=64 SLOTS=32 GROUPS=4", "11 704 48 2" },
        { "decode", "HALF=1 WEIGHTS=16 MOST_SHARED=232448 KEYS=64 VALUES=64 SLOTS=32 GROUPS=4", "11 704 48 2" },
        { "decode", "HALF=1 WEIGHTS=8 MOST_SHARED=232448 KEYS=128 VALUES=128 SLOTS=64 GROUPS=3", "33 576 80 1" },
        { "decode", "WEIGHTS=8 MOST_SHARED=101376 KEYS=32 VALUES=32 SLOTS=16 GROUPS=1", "7 64 16 3" },
        { "decode", "WEIGHTS=4 MOST_SHARED=101376 KEYS=32 VALUES=32 SLOTS=16 GROUPS=1", "7 64 16 3" },
        { "decode", "HALF=1 WEIGHTS=4 MOST_SHARED=101376 KEYS=32 VALUES=32 SLOTS=16 GROUPS=1", "7 64 16 3" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_kernel_gives_what_its_formulas_give(string program, string definitions, string arguments)
    {
        Assert.SkipUnless(Emulator.HasCompiler(), Emulator.Lack);
        using var folder = new TemporaryFolder();
        Emulator.Run(Emulator.Build(program, definitions, folder), arguments.Split(' '));
    }
}
