using T2R.Interop;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Interop;

public class HostMemoryTests
{
    [Fact]
    public void The_machines_memory_is_read_in_bytes() =>
        Assert.Equal(3L * 1024, HostMemory.OfMachine(["MemTotal:  9 kB", "MemAvailable:       3 kB"]));

    [Fact]
    public void What_the_kernel_does_not_say_is_no_limit() => Assert.Equal(long.MaxValue, HostMemory.OfMachine(["MemTotal:  9 kB"]));

    [Theory]
    [InlineData("0::/a/b", "", "memory.max", "memory.current")]
    [InlineData("4:cpu,memory:/a/b", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes")]
    public void The_tightest_of_the_groups_above_counts_and_cached_files_are_free(string membership, string hierarchy, string limit, string usage)
    {
        using var root = new TemporaryFolder();
        Group("", "1000", "500");
        Group("a", "1000", "700");
        Group("a/b", "max", "600");
        Assert.Equal(300, HostMemory.OfGroups([membership, "1:cpu:/a"], root.Path));
        File.WriteAllText(Path.Combine(root.Path, hierarchy, "a", "memory.stat"), "active_file 7\ninactive_file 150\n");
        Assert.Equal(450, HostMemory.OfGroups([membership], root.Path));
        Group("a/b", "1000", "1200");
        Assert.Equal(0, HostMemory.OfGroups([membership], root.Path));
        Assert.Equal(long.MaxValue, HostMemory.OfGroups(["1:cpu:/a"], root.Path));

        void Group(string path, string most, string used)
        {
            string folder = Directory.CreateDirectory(Path.Combine(root.Path, hierarchy, path)).FullName;
            File.WriteAllText(Path.Combine(folder, limit), most + "\n");
            File.WriteAllText(Path.Combine(folder, usage), used + "\n");
        }
    }

    [Fact]
    public void A_path_that_only_the_host_has_leaves_the_containers_own_group()
    {
        using var root = new TemporaryFolder();
        File.WriteAllText(root["memory.max"], "900\n");
        File.WriteAllText(root["memory.current"], "100\n");
        Assert.Equal(800, HostMemory.OfGroups(["0::/host/only"], root.Path));
    }

    [Fact]
    public void This_machine_has_some() => Assert.InRange(HostMemory.Available(), 1, 1L << 50);
}
