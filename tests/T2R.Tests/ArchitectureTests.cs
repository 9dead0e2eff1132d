using System.Text.RegularExpressions;
using Xunit;

namespace T2R.Tests;

/// <summary>The rules of the house that the compiler does not know.</summary>
public partial class ArchitectureTests
{
    // Each folder may use those of lower rank, and of its own as long as no two use each other.
    private static readonly Dictionary<string, int> Ranks = new()
    {
        ["Interop"] = 0,
        ["Checkpoints"] = 1,
        ["Tokenization"] = 1,
        ["Data"] = 1,
        ["Ops"] = 2,
        ["Mixers"] = 3,
        ["Models"] = 4,
        ["Conversion"] = 5,
        ["Training"] = 5,
        ["Generation"] = 5,
        ["Evaluation"] = 5,
        ["Bench"] = 6,
        ["Recipes"] = 6,
        ["Server"] = 7,
        ["Cli"] = 8,
    };

    private static readonly (string Folder, string Uses, string File)[] Arrows = [.. FindArrows().Distinct()];

    [Fact]
    public void Every_folder_of_the_library_has_a_place_in_the_order()
    {
        IEnumerable<string> folders = Directory.GetDirectories(Path.Combine(Repository.Root, "src", "T2R")).Select(d => Path.GetFileName(d));
        Assert.Empty(folders.Except([.. Ranks.Keys, "bin", "obj"]));
    }

    [Fact]
    public void No_arrow_points_backward()
    {
        Assert.NotEmpty(Arrows);
        Assert.Empty(Arrows.Where(a => Ranks[a.Uses] > Ranks[a.Folder]).Select(a => $"{a.File} uses T2R.{a.Uses}"));
    }

    [Fact]
    public void Nothing_that_Checkpoints_Tokenization_and_Data_use_knows_of_models()
    {
        string[] inputs = ["Checkpoints", "Tokenization", "Data"];
        Assert.Empty(Arrows.Where(a => inputs.Contains(a.Folder) && a.Uses != "Interop" && !inputs.Contains(a.Uses)).Select(a => $"{a.File} uses T2R.{a.Uses}"));
    }

    [Fact]
    public void No_two_folders_use_each_other() =>
        Assert.Empty(Arrows.Where(a => Arrows.Any(b => b.Folder == a.Uses && b.Uses == a.Folder)).Select(a => $"{a.File} uses T2R.{a.Uses}, which uses T2R.{a.Folder}"));

    [Fact]
    public void Namespaces_are_folders()
    {
        string library = Path.Combine(Repository.Root, "src", "T2R"), program = Path.Combine(Repository.Root, "src", "T2R.Cli"), server = Path.Combine(Repository.Root, "src", "T2R.Server");
        Assert.Empty(Repository.SourceFiles("src")
            .Select(f => (File: f, Declared: NamespaceOf(f)))
            .Where(f => f.Declared is not null
                && f.Declared != ExpectedNamespace(f.File, library, "T2R")
                && f.Declared != ExpectedNamespace(f.File, program, "T2R.Cli")
                && f.Declared != ExpectedNamespace(f.File, server, "T2R.Server"))
            .Select(f => $"{f.File} declares {f.Declared}"));
    }

    [Fact]
    public void Only_Interop_holds_native_declarations_and_unsafe_code() =>
        Assert.DoesNotContain(Repository.SourceFiles("src"), f => FolderOf(f) != "Interop" && Native().IsMatch(Code(f)));

    [Fact]
    public void The_library_knows_nothing_of_the_console() =>
        Assert.DoesNotContain(Repository.SourceFiles("src/T2R"), f => Console().IsMatch(Code(f)));

    [Fact]
    public void The_library_knows_nothing_of_HTTP_and_the_server_nothing_of_the_console()
    {
        Assert.DoesNotContain(Repository.SourceFiles("src/T2R"), f => AspNet().IsMatch(Code(f)));
        Assert.DoesNotContain(Repository.SourceFiles("src/T2R.Server"), f => Console().IsMatch(Code(f)));
    }

    [Fact]
    public void No_source_file_has_more_than_400_lines() =>
        Assert.DoesNotContain(Repository.SourceFiles("src"), f => File.ReadLines(f).Count() > 400);

    [Fact]
    public void No_source_file_declares_two_public_types() =>
        Assert.DoesNotContain(Repository.SourceFiles("src"), f => PublicType().Count(Code(f)) > 1);

    [Fact]
    public void No_build_copied_libtorch_beside_a_program()
    {
        IEnumerable<string> outputs = new[] { "src", "tests" }
            .SelectMany(folder => Directory.GetDirectories(Path.Combine(Repository.Root, folder)))
            .Select(project => Path.Combine(project, "bin"))
            .Where(Directory.Exists);
        Assert.NotEmpty(outputs);
        Assert.DoesNotContain(
            outputs.SelectMany(bin => Directory.EnumerateFiles(bin, "libtorch_cpu.so", SearchOption.AllDirectories)),
            file => Path.GetFileName(Path.GetDirectoryName(file)) == "cpu");
    }

    private static IEnumerable<(string Folder, string Uses, string File)> FindArrows() =>
        from file in Repository.SourceFiles("src")
        let folder = FolderOf(file)
        where folder is not null
        from Match match in Reference().Matches(Code(file))
        let uses = match.Groups[1].Value
        where Ranks.ContainsKey(uses) && uses != folder
        select (folder, uses, Path.GetRelativePath(Repository.Root, file));

    // src/T2R/Ops/GatedSlot/Chunk.cs is of Ops; src/T2R/Problems.cs is of none.
    private static string? FolderOf(string file) => Path.GetRelativePath(Repository.Root, file).Split('/') switch
    {
        ["src", "T2R.Cli", ..] => "Cli",
        ["src", "T2R.Server", ..] => "Server",
        ["src", "T2R", var folder, _, ..] => folder,
        _ => null,
    };

    private static string? NamespaceOf(string file) => Namespace().Match(Code(file)) is { Success: true } match ? match.Groups[1].Value : null;

    private static string ExpectedNamespace(string file, string project, string root) =>
        Path.GetRelativePath(project, Path.GetDirectoryName(file)!) is var inside && inside == "." ? root : $"{root}.{inside.Replace('/', '.')}";

    private static string Code(string file) => Comment().Replace(File.ReadAllText(file), "");

    [GeneratedRegex(@"^\s*//.*$", RegexOptions.Multiline)]
    private static partial Regex Comment();

    [GeneratedRegex(@"\bT2R\.(\w+)")]
    private static partial Regex Reference();

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    [GeneratedRegex(@"\b(DllImport|LibraryImport|NativeLibrary|unsafe)\b")]
    private static partial Regex Native();

    [GeneratedRegex(@"\b(Spectre\.Console|System\.CommandLine|Console\.(Out|Error|Write|WriteLine))\b")]
    private static partial Regex Console();

    [GeneratedRegex(@"\b(Microsoft\.AspNetCore|Microsoft\.Extensions)\b")]
    private static partial Regex AspNet();

    [GeneratedRegex(@"^public\s+(?:(?:static|sealed|abstract|readonly|ref|partial|unsafe)\s+)*(?:class|record|struct|interface|enum|delegate)\b", RegexOptions.Multiline)]
    private static partial Regex PublicType();
}
