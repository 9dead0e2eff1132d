using System.Diagnostics;
using T2R.Checkpoints;
using T2R.Interop;
using Xunit;

namespace T2R.Tests.Checkpoints;

public class StagedFolderTests
{
    private static StagedFolder Filled(string target, string content, bool replace = false, bool flush = true)
    {
        var staged = new StagedFolder(target, replace, flush);
        Directory.CreateDirectory(Path.Combine(staged.Path, "inner"));
        File.WriteAllText(Path.Combine(staged.Path, "inner", "file"), content);
        return staged;
    }

    private static string Read(string target) => File.ReadAllText(Path.Combine(target, "inner", "file"));

    private static int DeadProcess()
    {
        using var process = Process.Start("true");
        process.WaitForExit();
        return process.Id;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_folder_appears_at_commit_and_not_before(bool flush)
    {
        using var folder = new TemporaryFolder();
        using (var staged = Filled(folder["out"], "new", flush: flush))
        {
            Assert.False(Directory.Exists(folder["out"]));
            staged.Commit();
            Assert.Equal("new", Read(folder["out"]));
        }

        Assert.Equal("new", Read(folder["out"]));
        Assert.Equal(["out"], folder.Names);
    }

    [Fact]
    public void What_is_not_committed_leaves_nothing_not_even_parents()
    {
        using var folder = new TemporaryFolder();
        Filled(folder["a/b/out"], "new").Dispose();
        Assert.Empty(folder.Names);
    }

    [Fact]
    public void Parents_are_made_for_what_is_committed()
    {
        using var folder = new TemporaryFolder();
        using (var staged = Filled(folder["a/b/out"], "new"))
        {
            Assert.Equal([folder["a/b"], folder["a"], folder.Path], staged.FoldersWithNewNames);
            staged.Commit();
        }

        Assert.Equal("new", Read(folder["a/b/out"]));
    }

    [Fact]
    public void A_folder_with_something_in_it_is_kept_unless_replacing_is_allowed()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["out"]);
        File.WriteAllText(Path.Combine(folder["out"], "old"), "");
        Assert.Contains(folder["out"], Assert.Throws<UserErrorException>(() => new StagedFolder(folder["out"])).Message, StringComparison.Ordinal);
        Assert.Equal(["out"], folder.Names);
        using (var staged = Filled(folder["out"], "new", replace: true))
        {
            Assert.True(File.Exists(Path.Combine(folder["out"], "old")));
            staged.Commit();
        }

        Assert.Equal("new", Read(folder["out"]));
        Assert.False(File.Exists(Path.Combine(folder["out"], "old")));
        Assert.Equal(["out"], folder.Names);
    }

    [Fact]
    public void An_empty_folder_is_filled_and_a_file_is_refused()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["out"]);
        using (var staged = Filled(folder["out"] + "/", "new"))
        {
            staged.Commit();
        }

        Assert.Equal("new", Read(folder["out"]));
        File.WriteAllText(folder["file"], "");
        Assert.Throws<UserErrorException>(() => new StagedFolder(folder["file"], replace: true));
    }

    [Fact]
    public void A_target_that_comes_into_being_meanwhile_is_not_overwritten()
    {
        using var folder = new TemporaryFolder();
        using (var staged = Filled(folder["out"], "mine"))
        {
            using (var other = Filled(folder["out"], "theirs"))
            {
                other.Commit();
            }

            Assert.Throws<UserErrorException>(staged.Commit);
        }

        Assert.Equal("theirs", Read(folder["out"]));
        Assert.Equal(["out"], folder.Names);
    }

    [Fact]
    public void What_killed_processes_left_is_removed_and_what_others_hold_is_not()
    {
        using var folder = new TemporaryFolder();
        int dead = DeadProcess();
        string held = folder[$".out.partial-{dead}-held"];
        foreach (string name in new[] { $".out.partial-{dead}-a", $".out.partial-{Environment.ProcessId}-a", $".other.partial-{dead}-a", ".out.partial-x-a", Path.GetFileName(held) })
        {
            Directory.CreateDirectory(folder[name]);
            File.WriteAllText(Path.Combine(folder[name], "file"), "");
        }

        // As a process of another container would hold it.
        using (Posix.TryLock(held))
        {
            new StagedFolder(folder["out"]).Dispose();
        }

        string[] left = [$".out.partial-{Environment.ProcessId}-a", $".other.partial-{dead}-a", ".out.partial-x-a", Path.GetFileName(held)];
        Assert.Equal(left.Order(StringComparer.Ordinal), folder.Names);
    }

    [Fact]
    public void A_kill_between_two_renames_brings_the_old_folder_back()
    {
        using var folder = new TemporaryFolder();
        int dead = DeadProcess();
        Directory.CreateDirectory(folder[$".out.replaced-{dead}-a"]);
        File.WriteAllText(Path.Combine(folder[$".out.replaced-{dead}-a"], "old"), "");
        Assert.Throws<UserErrorException>(() => new StagedFolder(folder["out"]));
        Assert.True(File.Exists(Path.Combine(folder["out"], "old")));
    }

    [Fact]
    public void Exchanging_swaps_two_folders()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["a/inner"]);
        Directory.CreateDirectory(folder["b"]);
        Assert.SkipUnless(Posix.TryExchange(folder["a"], folder["b"]), "this file system cannot exchange names");
        Assert.True(Directory.Exists(folder["b/inner"]));
        Assert.False(Directory.Exists(folder["a/inner"]));
        Assert.Throws<IOException>(() => Posix.TryExchange(folder["a"], folder["nothing"]));
    }
}
