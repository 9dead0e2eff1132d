using T2R.Interop;
using Xunit;

namespace T2R.Tests.Interop;

public class ProcessMemoryTests
{
    [Fact]
    public void Counters_are_read_in_bytes() =>
        Assert.Equal(new ProcessMemory(2048, 1024, 3072), ProcessMemory.Parse(["Name:\tt2r: x", "VmHWM:\t       3 kB", "VmRSS:\t  2 kB", "RssAnon:\t 1 kB"]));

    [Fact]
    public void A_missing_counter_is_named()
    {
        var refusal = Assert.Throws<InvalidDataException>(() => ProcessMemory.Parse(["VmHWM:\t3 kB", "VmRSS:\t2 kB"]));
        Assert.Contains("RssAnon", refusal.Message);
    }

    [Fact]
    public void The_peak_is_no_less_than_what_is_resident_and_that_no_less_than_what_is_anonymous()
    {
        ProcessMemory now = ProcessMemory.Now();
        Assert.True(now.PeakResident >= now.Resident && now.Resident > now.Anonymous && now.Anonymous > 0, now.ToString());
    }
}
