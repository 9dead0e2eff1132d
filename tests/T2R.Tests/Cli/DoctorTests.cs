using System.Text.Json;
using T2R.Interop;
using Xunit;

namespace T2R.Tests.Cli;

public sealed class DoctorTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("t2r-doctor-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task The_findings_are_JSON_for_a_program()
    {
        var (code, output, _) = await T2rProcess.Run(["doctor", "--json"]);
        Assert.Equal(0, code);
        using var json = JsonDocument.Parse(output);
        Assert.True(json.RootElement.GetProperty("usable").GetBoolean());
        var verdicts = json.RootElement.GetProperty("findings").EnumerateArray().ToDictionary(f => f.GetProperty("check").GetString()!, f => f.GetProperty("verdict").GetString());
        Assert.Equal("ok", verdicts["libtorch"]);
        Assert.Equal("ok", verdicts["cpu"]);
    }

    [Fact]
    public async Task A_table_names_the_libtorch_in_use()
    {
        var (code, output, _) = await T2rProcess.Run(["doctor"]);
        Assert.Equal(0, code);
        Assert.Contains(LibTorch.Report.Folder, output);
        Assert.EndsWith("t2r can work here.\n", output);
    }

    [Fact]
    public async Task A_folder_named_by_the_variable_is_used()
    {
        var (code, output, _) = await T2rProcess.Run(["doctor"], Variable(LibTorch.Report.Folder));
        Assert.Equal(0, code);
        Assert.Contains($"{LibTorch.Report.Folder} (T2R_LIBTORCH)", output);
    }

    [Theory]
    [InlineData("", "holds no libtorch_cpu.so")]
    [InlineData("absent", "is not a folder")]
    public async Task A_variable_that_names_no_libtorch_is_a_problem_that_names_it(string inside, string expected)
    {
        var (code, output, _) = await T2rProcess.Run(["doctor"], Variable(Path.Combine(_folder.FullName, inside)));
        Assert.Equal(1, code);
        Assert.Contains("T2R_LIBTORCH is set to", output);
        Assert.Contains(expected, output);
    }

    [Fact]
    public async Task Files_that_are_no_libraries_are_a_problem_that_names_them()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "libc10.so"), "");
        File.WriteAllText(Path.Combine(_folder.FullName, "libtorch_cpu.so"), "");
        var (code, output, _) = await T2rProcess.Run(["doctor"], Variable(_folder.FullName));
        Assert.Equal(1, code);
        Assert.Contains($"libtorch in {_folder.FullName} (T2R_LIBTORCH) cannot be loaded", output);
    }

    [Fact]
    public async Task A_cache_folder_that_cannot_be_written_is_a_warning_only()
    {
        string file = Path.Combine(_folder.FullName, "a-file");
        File.WriteAllText(file, "");
        var (code, output, _) = await T2rProcess.Run(["doctor"], new Dictionary<string, string?> { ["XDG_CACHE_HOME"] = file });
        Assert.Equal(0, code);
        Assert.Matches("warning +cache", output);
    }

    private static Dictionary<string, string?> Variable(string folder) => new() { ["T2R_LIBTORCH"] = folder };
}
