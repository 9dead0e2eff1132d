using T2R.Tests.Checkpoints.Fuzzing;
using Xunit;

namespace T2R.Tests.Checkpoints;

/// <summary><c>scripts/fuzz-safetensors</c> tries as many as one likes.</summary>
public class SafeTensorsMutationTests
{
    [Fact]
    public void Mutated_files_are_read_as_the_reference_reads_them_or_refused_in_words()
    {
        using var folder = new TemporaryFolder();
        var fuzzer = new FileFuzzer(folder.Path, seed: 1);
        while (fuzzer.Tried < 5_000)
        {
            fuzzer.Step();
        }

        Assert.InRange(fuzzer.Opened, 50, 4_500);
        Assert.True(fuzzer.Outcomes.Count > 20, string.Join('\n', fuzzer.Outcomes));
    }

    [Theory]
    [InlineData("""{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}""", 24, true)]
    [InlineData("""{"w":{"dtype":"F4","shape":[2,3],"data_offsets":[0,3]}}""", 3, true)]
    [InlineData("""{"w":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}""", 1, false)]
    [InlineData("""{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}""", 25, false)]
    [InlineData("""{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[1,25]}}""", 25, false)]
    [InlineData("""{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}""", 0, false)]
    [InlineData("""{"__metadata__":{"a":1}}""", 0, false)]
    [InlineData("""{"__metadata__":null}""", 0, true)]
    [InlineData("[]", 0, false)]
    public void The_reference_that_files_are_compared_with_knows_the_format(string header, int dataBytes, bool takes) =>
        Assert.Equal(takes, ReferenceHeader.Takes(RawSafeTensors.Bytes(header, dataBytes)));
}
