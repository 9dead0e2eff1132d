using System.IO.Compression;
using System.Reflection.PortableExecutable;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using T2R.Tests.Cli;
using Xunit;

namespace T2R.Tests;

/// <summary>What someone has who references the package T2R from a project of their own.</summary>
public sealed partial class PackageTests(Package package) : IClassFixture<Package>
{
    private static readonly string Samples = Path.Combine(Repository.Root, "samples");

    [Fact]
    public async Task The_sample_streams_what_t2r_generates_and_its_build_copies_no_libtorch()
    {
        string teacher = Path.Combine(Repository.Root, "recipes", "quickstart", "teacher");
        const string prompt = "# System.Collections.";
        var (code, output) = await package.Dotnet("run", "-c", "Release", "--project", "Stream", "--", teacher, prompt);
        Assert.True(code == 0, output);
        var (_, expected, _) = await T2rProcess.Run(["generate", teacher, "--prompt", prompt, "--temperature", "0", "--max-new-tokens", "100"]);
        Assert.NotEmpty(expected);
        Assert.Equal(expected, output);
        string[] built = Directory.GetFiles(package["Stream/bin"], "*", SearchOption.AllDirectories);
        Assert.Contains(built, f => Path.GetFileName(f) == "T2R.Core.dll");
        Assert.DoesNotContain(built, f => Path.GetFileName(f).Contains("torch", StringComparison.OrdinalIgnoreCase) && f.EndsWith(".so", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_libtorch_that_comes_in_several_packages_is_gathered_in_one_folder()
    {
        Directory.CreateDirectory(package["Cuda"]);
        Write("libtorch-cuda-0-linux-x64-part1", "libtorch_cpu.so", "");
        Write("libtorch-cuda-0-linux-x64", "libtorch_cuda.so", $"""<dependencies><dependency id="libtorch-cuda-0-linux-x64-part1" version="{package.Version}" /></dependencies>""");
        string project = File.ReadAllText(package["Stream/Stream.csproj"]);
        File.WriteAllText(package["Cuda/Cuda.csproj"], LibTorchPackage().Replace(project, $"""Include="libtorch-cuda-0-linux-x64" Version="{package.Version}" """));
        var (code, output) = await package.Dotnet("build", "Cuda", "-t:ResolvePackageAssets", "-getItem:RuntimeHostConfigurationOption,NativeCopyLocalItems");
        Assert.True(code == 0, output);
        using var json = JsonDocument.Parse(output);
        var items = json.RootElement.GetProperty("Items");
        string folder = items.GetProperty("RuntimeHostConfigurationOption").EnumerateArray().Single(o => Name(o) == "T2R.LibTorchFolder").GetProperty("Value").GetString()!;
        Assert.StartsWith(package["Cuda/obj"], folder);
        Assert.Equal(["libtorch_cpu.so", "libtorch_cuda.so"], Directory.GetFiles(folder).Select(f => Path.GetFileName(f)).Order());
        Assert.All(Directory.GetFiles(folder), f => Assert.StartsWith(Package.NuGetFolder, File.ResolveLinkTarget(f, returnFinalTarget: true)?.FullName));
        Assert.DoesNotContain(items.GetProperty("NativeCopyLocalItems").EnumerateArray(), i => Name(i).Contains("torch", StringComparison.OrdinalIgnoreCase));

        static string Name(JsonElement item) => item.GetProperty("Identity").GetString()!;
    }

    [Fact]
    public void The_package_holds_the_library_its_documentation_and_no_path_of_this_machine()
    {
        using var archive = ZipFile.OpenRead(package.File);
        Assert.Superset(
            new HashSet<string> { "lib/net10.0/T2R.Core.dll", "lib/net10.0/T2R.Core.xml", "buildTransitive/T2R.targets", "README.md", "LICENSE" },
            archive.Entries.Select(e => e.FullName).ToHashSet());
        Assert.All(archive.Entries, e => AssertHasNoPath(e.FullName, Bytes(e)));
        using var library = new PEReader([.. Bytes(archive.GetEntry("lib/net10.0/T2R.Core.dll")!)]);
        var embedded = library.ReadDebugDirectory().Single(d => d.Type == DebugDirectoryEntryType.EmbeddedPortablePdb);
        using var provider = library.ReadEmbeddedPortablePdbDebugDirectoryData(embedded);
        var symbols = provider.GetMetadataReader();
        Assert.All(symbols.Documents.Select(d => symbols.GetString(symbols.GetDocument(d).Name)), path => Assert.StartsWith("/T2R/src/T2R/", path));
        Assert.All(symbols.CustomDebugInformation.Select(symbols.GetCustomDebugInformation), c => AssertHasNoPath("symbols", symbols.GetBlobBytes(c.Value)));
    }

    [Fact]
    public void The_READMEs_show_the_sample_and_it_asks_for_the_versions_of_this_repository()
    {
        string program = File.ReadAllText(Path.Combine(Samples, "Stream", "Program.cs"));
        Assert.Contains(program, File.ReadAllText(Path.Combine(Repository.Root, "README.md")));
        Assert.Contains(program, File.ReadAllText(Path.Combine(Repository.Root, "src", "T2R", "README.md")));
        string project = File.ReadAllText(Path.Combine(Samples, "Stream", "Stream.csproj"));
        Assert.Contains($"""Include="T2R" Version="{typeof(UserErrorException).Assembly.GetName().Version!.ToString(3)}" """.TrimEnd(), project);
        Assert.Contains(LibTorchPackage().Match(project).Value, File.ReadAllText(Path.Combine(Repository.Root, "Directory.Packages.props")));
    }

    private void Write(string id, string native, string dependencies)
    {
        using var archive = ZipFile.Open(package[$"packages/{id}.{package.Version}.nupkg"], ZipArchiveMode.Create);
        Add($"{id}.nuspec", $"<package><metadata><id>{id}</id><version>{package.Version}</version><authors>a</authors><description>d</description>{dependencies}</metadata></package>");
        Add($"runtimes/linux-x64/native/{native}", "");

        void Add(string name, string text)
        {
            using var entry = archive.CreateEntry(name).Open();
            entry.Write(Encoding.UTF8.GetBytes(text));
        }
    }

    private static byte[] Bytes(ZipArchiveEntry entry)
    {
        using var content = new MemoryStream();
        using var stream = entry.Open();
        stream.CopyTo(content);
        return content.ToArray();
    }

    // Names and attributes are UTF-8, the code's own texts UTF-16.
    private static void AssertHasNoPath(string name, byte[] content)
    {
        foreach (string path in new[] { Repository.Root, Package.NuGetFolder })
        {
            Assert.False(content.AsSpan().IndexOf(Encoding.UTF8.GetBytes(path)) >= 0 || content.AsSpan().IndexOf(Encoding.Unicode.GetBytes(path)) >= 0, $"{name} holds {path}");
        }
    }

    [GeneratedRegex("""Include="libtorch-cpu-linux-x64" Version="[^"]+" """)]
    private static partial Regex LibTorchPackage();
}
