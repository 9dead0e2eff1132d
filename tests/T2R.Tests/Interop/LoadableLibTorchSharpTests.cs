using T2R.Interop;
using Xunit;

namespace T2R.Tests.Interop;

public sealed class LoadableLibTorchSharpTests : IDisposable
{
    private readonly string _original = LibTorchSearch.FindLibTorchSharp();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("t2r-cache-");

    private string Cache => _folder.FullName;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void The_copy_differs_from_the_original_in_one_byte()
    {
        byte[] before = File.ReadAllBytes(_original);
        byte[] after = File.ReadAllBytes(LoadableLibTorchSharp.PatchedCopy(_original, [Cache]));
        Assert.Equal(before.Length, after.Length);
        Assert.Equal(1, before.Zip(after).Count(pair => pair.First != pair.Second));
    }

    [Fact]
    public void A_whole_copy_is_left_alone()
    {
        string copy = LoadableLibTorchSharp.PatchedCopy(_original, [Cache]);
        var longAgo = new DateTime(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(copy, longAgo);
        Assert.Equal(copy, LoadableLibTorchSharp.PatchedCopy(_original, [Cache]));
        Assert.Equal(longAgo, File.GetLastWriteTimeUtc(copy));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_damaged_copy_is_written_anew(bool truncate)
    {
        string copy = LoadableLibTorchSharp.PatchedCopy(_original, [Cache]);
        byte[] whole = File.ReadAllBytes(copy);
        using (FileStream damaged = File.OpenWrite(copy))
        {
            damaged.Seek(5000, SeekOrigin.Begin);
            damaged.WriteByte((byte)(whole[5000] ^ 1));
            damaged.SetLength(truncate ? 6000 : whole.Length);
        }

        Assert.Equal(whole, File.ReadAllBytes(LoadableLibTorchSharp.PatchedCopy(_original, [Cache])));
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_passed_over()
    {
        string file = Path.Combine(Cache, "a-file");
        File.WriteAllText(file, "");
        Assert.StartsWith(Path.Combine(Cache, "second"), LoadableLibTorchSharp.PatchedCopy(_original, [file, Path.Combine(Cache, "second")]));
    }

    [Fact]
    public void When_no_folder_can_be_written_the_message_says_what_to_set()
    {
        string file = Path.Combine(Cache, "a-file");
        File.WriteAllText(file, "");
        var refusal = Assert.Throws<IOException>(() => LoadableLibTorchSharp.PatchedCopy(_original, [file]));
        Assert.Contains("XDG_CACHE_HOME", refusal.Message);
        Assert.Contains(file, refusal.Message);
    }

    [Fact]
    public void Many_at_once_agree_and_leave_nothing_else_behind()
    {
        string[] copies = new string[8];
        Parallel.For(0, copies.Length, new ParallelOptions { MaxDegreeOfParallelism = copies.Length }, i => copies[i] = LoadableLibTorchSharp.PatchedCopy(_original, [Cache]));
        Assert.Equal([Assert.Single(copies.Distinct())], Directory.GetFiles(Cache, "*", SearchOption.AllDirectories));
    }
}
