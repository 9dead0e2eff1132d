using System.Text;
using CsCheck;
using T2R.Checkpoints;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Checkpoints;

public sealed class SafeTensorsMutationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private const int DataBytes = 24 + 8 + 1;

    private const string Header =
        """{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"I64","shape":[],"data_offsets":[24,32]},"c":{"dtype":"U8","shape":[1],"data_offsets":[32,33]}}""";

    // What a header is made of, and what it must not be made of.
    private static readonly string[] Tokens =
    [
        "{", "}", "[", "]", ",", ":", "\"", "0", "1", "8", "24", "32", "33", "-1", "1.5", "1e3", "9223372036854775807", "18446744073709551616", "null", "true",
        "\"a\"", "\"b\"", "\"dtype\"", "\"shape\"", "\"data_offsets\"", "\"__metadata__\"", "F64", "F32", "BF16", "I64", "BOOL", "\\ud800", "\\u0000", "[]", "{}", "[0,0]",
    ];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_file_before_mutation_opens() => Assert.True(Opens(RawSafeTensors.Bytes(Header, DataBytes)));

    [Fact]
    public void Flipped_bytes_and_wrong_lengths_are_refused_in_words_or_harmless()
    {
        byte[] valid = RawSafeTensors.Bytes(Header, DataBytes);
        var flips = Gen.Select(Gen.Int[0, 8 + Header.Length - 1], Gen.Byte).Array[1, 4];
        Gen.Select(flips, Gen.Int[-DataBytes - 20, 4]).Sample(
            (changes, longer) =>
            {
                byte[] file = [.. valid];
                foreach (var (position, value) in changes)
                {
                    file[position] = value;
                }

                Opens(longer <= 0 ? file[..^-longer] : [.. file, .. new byte[longer]]);
            },
            iter: 2000);
    }

    [Fact]
    public void Headers_with_pieces_replaced_are_refused_in_words_or_harmless()
    {
        int opened = 0;
        var edits = Gen.Select(Gen.Int[0, Header.Length], Gen.Int[0, 6], Gen.Int[0, Tokens.Length - 1].Select(i => Tokens[i])).Array[1, 3];
        edits.Sample(
            changes =>
            {
                var header = new StringBuilder(Header);
                foreach (var (position, removed, token) in changes)
                {
                    int start = Math.Min(position, header.Length);
                    header.Remove(start, Math.Min(removed, header.Length - start)).Insert(start, token);
                }

                opened += Opens(RawSafeTensors.Bytes(header.ToString(), DataBytes)) ? 1 : 0;
            },
            iter: 2000,
            threads: 1);
        Assert.True(opened < 2000);
    }

    // Anything but UserErrorException fails the property.
    private bool Opens(byte[] content)
    {
        string path = _folder[Guid.NewGuid().ToString()];
        File.WriteAllBytes(path, content);
        try
        {
            using var scope = NewDisposeScope();
            using var file = SafeTensorsFile.Open(path);
            foreach (TensorEntry entry in file.Entries)
            {
                Tensor view = file.Read(entry.Name);
                Assert.Equal([.. entry.Shape], view.shape);
                Assert.Equal(entry.ByteCount, view.numel() * view.element_size());
            }

            return true;
        }
        catch (UserErrorException e)
        {
            Assert.Contains(path, e.Message, StringComparison.Ordinal);
            return false;
        }
        finally
        {
            File.Delete(path);
        }
    }
}
