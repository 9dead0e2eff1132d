using System.Reflection;
using System.Text.RegularExpressions;
using T2R.Interop.Cuda;
using Xunit;

namespace T2R.Tests.Interop.Cuda;

/// <summary>A kernel's struct and the one that is passed to it are two texts; a field that only one of them has would shift all that follow.</summary>
public partial class KernelStructTests
{
    [Theory]
    [InlineData("Ops/GatedSlot/GatedSlot.cu", "T2R.Ops.GatedSlot.CudaArguments")]
    [InlineData("Ops/CrossEntropy.cu", "T2R.Ops.CudaCrossEntropy+Arguments")]
    [InlineData("Ops/Fp8/Cast.cu", "T2R.Ops.Fp8.CudaFp8Cast+Arguments")]
    [InlineData("Ops/RmsNorm.cu", "T2R.Ops.CudaRmsNorm+Arguments")]
    [InlineData("Ops/SumOfSquares.cu", "T2R.Ops.CudaSumOfSquares+Arguments")]
    [InlineData("Ops/SwiGlu.cu", "T2R.Ops.CudaSwiGlu+Arguments")]
    public void Fields_have_the_same_types_in_the_same_order(string file, string type)
    {
        var passed = typeof(CudaModule).Assembly.GetType(type, throwOnError: true)!;
        Assert.True(passed.IsLayoutSequential);
        string[] expected = [.. passed.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).OrderBy(f => f.MetadataToken).Select(f => Word(f.FieldType))];
        Assert.Equal(expected, Fields(CudaModule.Source(file)));
    }

    [Fact]
    public void Every_kernel_file_with_a_struct_is_held()
    {
        var held = typeof(KernelStructTests).GetMethod(nameof(Fields_have_the_same_types_in_the_same_order))!.GetCustomAttributes<InlineDataAttribute>().Select(d => (string)d.Data[0]!);
        var files = typeof(CudaModule).Assembly.GetManifestResourceNames().Where(r => r.EndsWith(".cu", StringComparison.Ordinal) && Struct().IsMatch(CudaModule.Source(r)));
        Assert.Equal(files.Order(), held.Order());
    }

    private static string Word(Type type) =>
        type == typeof(nint) ? "*" : type == typeof(long) ? "long long" : type == typeof(int) ? "int" : type == typeof(float) ? "float" : throw new ArgumentException($"no field of a kernel's struct is {type.Name}");

    private static string[] Fields(string source)
    {
        string body = Comment().Replace(Struct().Match(source).Groups[1].Value, "");
        return
        [
            .. from declaration in body.Split(';')
               let text = declaration.Trim()
               where text.Length > 0
               from name in text.Split(',')
               select name.Contains('*', StringComparison.Ordinal) ? "*" : text.StartsWith("long long ", StringComparison.Ordinal) ? "long long" : text.Split(' ')[0],
        ];
    }

    [GeneratedRegex(@"struct Arguments\s*\{(.*?)\n\};", RegexOptions.Singleline)]
    private static partial Regex Struct();

    [GeneratedRegex("//.*")]
    private static partial Regex Comment();
}
