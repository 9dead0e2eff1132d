using System.Diagnostics;
using T2R.Checkpoints;
using Xunit;

namespace T2R.Tests.Checkpoints;

public class SafeTensorsValidationTests
{
    [Theory]
    [InlineData("F8_E8M0", "[2,3]", "[0,6]", "dtype 'F8_E8M0'")]
    [InlineData("F4", "[2,3]", "[0,3]", "dtype 'F4'")]
    [InlineData("U32", "[2,3]", "[0,24]", "dtype 'U32'")]
    [InlineData("f32", "[2,3]", "[0,24]", "dtype 'f32'")]
    [InlineData("F32", "[2,-3]", "[0,24]", "non-negative integer in its shape")]
    [InlineData("F32", "[-0]", "[0,0]", "non-negative integer in its shape")]
    [InlineData("F32", "[1e1]", "[0,40]", "non-negative integer in its shape")]
    [InlineData("F32", "[2,3]", "[18446744073709551592,18446744073709551616]", "non-negative integer in its data_offsets")]
    [InlineData("F32", "[2,3]", "[9223372036854775783,9223372036854775807]", "starts at byte 9223372036854775783 of the data, expected 0")]
    [InlineData("F32", "[2,3.0]", "[0,24]", "non-negative integer in its shape")]
    [InlineData("F32", "[2,\"3\"]", "[0,24]", "non-negative integer in its shape")]
    [InlineData("F32", "[2,[3]]", "[0,24]", "non-negative integer in its shape")]
    [InlineData("F32", "[99999999999999999999]", "[0,24]", "non-negative integer in its shape")]
    [InlineData("F32", "6", "[0,24]", "Number as shape")]
    [InlineData("F32", "[4611686018427387904,4]", "[0,24]", "overflows")]
    [InlineData("F32", "[4611686018427387904,0]", "[0,0]", "overflows")]
    [InlineData("F32", "[2,3]", "[0,20]", "20 bytes by its data_offsets, expected 24")]
    [InlineData("F32", "[2,3]", "[24,0]", "data_offsets [24,0]")]
    [InlineData("F32", "[2,3]", "[-24,0]", "non-negative integer in its data_offsets")]
    [InlineData("F32", "[2,3]", "[0]", "pair of data_offsets")]
    [InlineData("F32", "[2,3]", "[0,24,48]", "more than 2 numbers in its data_offsets")]
    [InlineData("F32", "[2,3]", "[8,32]", "starts at byte 8 of the data, expected 0")]
    [InlineData("F32", "[2,4]", "[0,32]", "truncated")]
    public void A_wrong_tensor_is_named_with_its_file(string dtype, string shape, string offsets, string expected) =>
        Refused(RawSafeTensors.Bytes(RawSafeTensors.One(dtype, shape, offsets), 24), "'w'", expected);

    [Theory]
    [InlineData("""{"w":{"dtype":"F32","shape":[6]}}""", "lacks")]
    [InlineData("""{"w":{"dtype":"F32","dtype":"F32","shape":[6],"data_offsets":[0,24]}}""", "'dtype'")]
    [InlineData("""{"w":{"dtype":"F32","shape":[6],"data_offsets":[0,24],"strides":[1]}}""", "'strides'")]
    [InlineData("""{"w":{"dtype":5,"shape":[6],"data_offsets":[0,24]}}""", "as dtype")]
    [InlineData("""{"w":null}""", "Null")]
    [InlineData("""{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"w":{"dtype":"F32","shape":[3],"data_offsets":[12,24]}}""", "twice")]
    [InlineData("""{"v":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"w":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}""", "overlaps")]
    [InlineData("""{"v":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"w":{"dtype":"F32","shape":[2],"data_offsets":[16,24]}}""", "gap")]
    public void A_wrong_description_is_named_with_its_file(string header, string expected) =>
        Refused(RawSafeTensors.Bytes(header, 24), "'w'", expected);

    [Theory]
    [InlineData("[]", "object")]
    [InlineData("3", "object")]
    [InlineData("{", "not valid JSON")]
    [InlineData("{} {}", "not valid JSON")]
    [InlineData("""{"w":}""", "not valid JSON")]
    [InlineData("""{"\ud800":1}""", "not valid text")]
    [InlineData("""{"__metadata__":"pt"}""", "__metadata__ is a JSON String")]
    [InlineData("""{"__metadata__":{"format":1}}""", "'format' is a JSON Number")]
    [InlineData("""{"__metadata__":{"a":"1","a":"2"}}""", "'a' twice")]
    [InlineData("""{"__metadata__":{},"__metadata__":{}}""", "twice")]
    public void A_wrong_header_is_named_with_its_file(string header, string expected) => Refused(RawSafeTensors.Bytes(header, 0), expected);

    [Fact]
    public void More_dimensions_than_torch_knows_are_refused() =>
        Refused(RawSafeTensors.Bytes(RawSafeTensors.One("U8", $"[{string.Join(',', Enumerable.Repeat(1, 65))}]", "[0,1]"), 1), "more than 64 numbers in its shape");

    [Fact]
    public void Names_that_a_terminal_would_obey_or_that_fill_it_are_shown_without_harm() => Refused(
        RawSafeTensors.Bytes($$$"""{"\u001b[2J{{{new string('x', 5000)}}}":{"dtype":"F32","shape":[],"data_offsets":[0,0]}}""", 0),
        $"tensor '\\u001b[2J{new string('x', 196)}…' has 0 bytes");

    [Fact]
    public void A_header_that_is_not_UTF8_is_refused() => Refused(RawSafeTensors.Bytes([(byte)'{', 0xff, (byte)'}'], 0), "UTF-8");

    [Theory]
    [InlineData("a shape without end")]
    [InlineData("a name without end")]
    [InlineData("brackets without end")]
    [InlineData("tensors without end")]
    public void A_large_header_takes_no_more_memory_than_some_times_its_size(string kind)
    {
        const int size = 4_000_000;
        string header = kind switch
        {
            "a shape without end" => "{\"w\":{\"dtype\":\"F32\",\"shape\":[" + string.Concat(Enumerable.Repeat("0,", size / 2)),
            "a name without end" => "{\"" + new string('w', size) + "\":{}}",
            "brackets without end" => "{\"w\":" + new string('[', size),
            _ => "{" + string.Join(',', Enumerable.Range(0, size / 64).Select(i => $$$"""
                "{{{i:D9}}}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}
                """)) + ",",
        };
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["f"], RawSafeTensors.Bytes(header, 0));
        long before = GC.GetAllocatedBytesForCurrentThread();
        string message = Assert.Throws<UserErrorException>(() => SafeTensorsFile.Open(folder["f"])).Message;
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, size, 16 * size);
        Assert.InRange(message.Length, 1, 1000);
    }

    [Fact]
    public void A_file_cut_short_says_so_with_the_tensor_and_what_to_do() =>
        Refused(RawSafeTensors.Bytes(RawSafeTensors.One(), 23), "truncated", "24", "23", "'w'", "fetch the file again");

    [Fact]
    public void Bytes_behind_the_last_tensor_are_refused() => Refused(RawSafeTensors.Bytes(RawSafeTensors.One(), 27), "3 bytes follow the last tensor");

    [Fact]
    public void A_file_that_ends_in_its_header_says_so() => Refused(RawSafeTensors.Bytes(RawSafeTensors.One(), 0)[..40], "ends after 32 of them", "incomplete");

    [Theory]
    [InlineData("", "0 bytes")]
    [InlineData("1234567", "7 bytes")]
    [InlineData("\0\0\0\0\0\0\0\0{}", "header length is 0")]
    [InlineData("\u0001\u00e1\u00f5\u0005\0\0\0\0{}", "header length is 100000001 bytes, expected 1 to 100000000")]
    [InlineData("\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff{}", "header length is 18446744073709551615 bytes")]
    [InlineData("<!DOCTYPE html><html>", "not a SafeTensors file")]
    [InlineData("version https://git-lfs.github.com/spec/v1", "git lfs pull")]
    public void Something_else_than_SafeTensors_is_called_so(string content, string expected) => Refused([.. content.Select(c => (byte)c)], expected);

    [Fact]
    public void A_missing_file_a_folder_and_a_pipe_are_told_apart()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("no such file", Assert.Throws<UserErrorException>(() => SafeTensorsFile.Open(folder["nothing"])).Message, StringComparison.Ordinal);
        Assert.Contains("no such file", Assert.Throws<UserErrorException>(() => SafeTensorsFile.Open(folder["no/thing"])).Message, StringComparison.Ordinal);
        Process.Start("mkfifo", [folder["pipe"]]).WaitForExit();
        Assert.Contains("is a pipe", Assert.Throws<UserErrorException>(() => SafeTensorsFile.Open(folder["pipe"])).Message, StringComparison.Ordinal);
        Assert.Contains("is a folder", Assert.Throws<UserErrorException>(() => SafeTensorsFile.Open(folder.Path)).Message, StringComparison.Ordinal);
    }

    private static void Refused(byte[] content, params string[] expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["f.safetensors"], content);
        string message = Assert.Throws<UserErrorException>(() => SafeTensorsFile.Open(folder["f.safetensors"])).Message;
        Assert.All(expected.Append(folder["f.safetensors"]), e => Assert.Contains(e, message, StringComparison.Ordinal));
    }
}
