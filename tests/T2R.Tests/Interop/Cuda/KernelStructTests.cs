using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using T2R.Interop.Cuda;
using Xunit;

namespace T2R.Tests.Interop.Cuda;

/// <summary>A kernel's struct and the one that is passed to it are two texts; a field that only one of them has would shift all that follow.</summary>
public partial class KernelStructTests
{
    [Theory]
    [InlineData("Ops/AdamW/AdamW.cu", "AdamWStep", "T2R.Ops.AdamW.AdamWStep")]
    [InlineData("Ops/AdamW/AdamW.cu", "Range", "T2R.Ops.AdamW.CudaAdamW+Range")]
    [InlineData("Ops/AdamW/AdamW.cu", "Arguments", "T2R.Ops.AdamW.CudaAdamW+Arguments")]
    [InlineData("Ops/Decode/Choose.cu", "Choice", "T2R.Ops.Decode.CudaChoose+Choice")]
    [InlineData("Ops/Decode/Choose.cu", "Arguments", "T2R.Ops.Decode.CudaChoose+Arguments")]
    [InlineData("Ops/Decode/Decode.cu", "Stack", "T2R.Ops.Decode.DecodeArguments+Stack")]
    [InlineData("Ops/Decode/Decode.cu", "Squares", "T2R.Ops.Decode.DecodeArguments+Squares")]
    [InlineData("Ops/Decode/Decode.cu", "Stream", "T2R.Ops.Decode.DecodeArguments+Stream")]
    [InlineData("Ops/Decode/Decode.cu", "ProjectArguments", "T2R.Ops.Decode.DecodeArguments+ProjectArguments")]
    [InlineData("Ops/Decode/Decode.cu", "SlotStepArguments", "T2R.Ops.Decode.DecodeArguments+SlotStepArguments")]
    [InlineData("Ops/Decode/Decode.cu", "EmbedArguments", "T2R.Ops.Decode.DecodeArguments+EmbedArguments")]
    [InlineData("Ops/GatedSlot/GatedSlot.cu", "Arguments", "T2R.Ops.GatedSlot.CudaArguments")]
    [InlineData("Ops/CrossEntropy.cu", "Arguments", "T2R.Ops.CudaCrossEntropy+Arguments")]
    [InlineData("Ops/Fp8/Cast.cu", "Arguments", "T2R.Ops.Fp8.CudaFp8Cast+Arguments")]
    [InlineData("Ops/Quantized/Dequantize.cu", "Arguments", "T2R.Ops.Quantized.CudaDequantize+Arguments")]
    [InlineData("Ops/RmsNorm.cu", "Arguments", "T2R.Ops.CudaRmsNorm+Arguments")]
    [InlineData("Ops/SumOfSquares.cu", "Part", "T2R.Ops.CudaSumOfSquares+Part")]
    [InlineData("Ops/SumOfSquares.cu", "Arguments", "T2R.Ops.CudaSumOfSquares+Arguments")]
    [InlineData("Ops/SumOfSquares.cu", "Shares", "T2R.Ops.CudaSumOfSquares+Shares")]
    [InlineData("Ops/SwiGlu.cu", "Arguments", "T2R.Ops.CudaSwiGlu+Arguments")]
    public void Fields_have_the_same_types_in_the_same_order(string file, string name, string type)
    {
        var passed = typeof(CudaModule).Assembly.GetType(type, throwOnError: true)!;
        Assert.True(passed.IsLayoutSequential);
        string[] expected = [.. passed.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).OrderBy(f => f.MetadataToken).Select(f => Word(f.FieldType))];
        Assert.Equal(expected, Fields(CudaModule.Source(file), name));
    }

    [Fact]
    public void Every_kernel_file_is_held()
    {
        var held = typeof(KernelStructTests).GetMethod(nameof(Fields_have_the_same_types_in_the_same_order))!.GetCustomAttributes<InlineDataAttribute>();
        string[] files = [.. held.Where(d => ((string)d.Data[1]!).EndsWith("Arguments", StringComparison.Ordinal)).Select(d => (string)d.Data[0]!).Distinct()];
        Assert.Equal(typeof(CudaModule).Assembly.GetManifestResourceNames().Where(r => r.EndsWith(".cu", StringComparison.Ordinal)).Order(), files.Order());
    }

    private static string Word(Type type) =>
        type.GetCustomAttribute<InlineArrayAttribute>() is { Length: var length } ? $"{Word(type.GetFields(BindingFlags.Instance | BindingFlags.NonPublic)[0].FieldType)}[{length}]"
        : type == typeof(nint) ? "*" : type == typeof(ulong) ? "unsigned long long" : type == typeof(long) ? "long long" : type == typeof(int) ? "int" : type == typeof(float) ? "float" : type == typeof(double) ? "double"
        : type is { IsValueType: true, IsPrimitive: false, IsLayoutSequential: true } ? type.Name
        : throw new ArgumentException($"no field of a kernel's struct is {type.Name}");

    // "float *a, *b" gives two pointers, "int starts[Most]" an array of as many as Most is.
    private static string[] Fields(string source, string name)
    {
        string body = Comment().Replace(Regex.Match(source, $@"struct {name}\s*\{{(.*?)\n\}};", RegexOptions.Singleline).Groups[1].Value, "");
        return
        [
            .. from declaration in body.Split(';')
               let text = declaration.Trim()
               where text.Length > 0
               let type = Type().Match(text).Value
               from field in text.Split(',')
               let length = Length().Match(field)
               let one = field.Contains('*', StringComparison.Ordinal) ? "*" : type
               select length.Success ? $"{one}[{LengthOf(source, length.Groups[1].Value)}]" : one,
        ];
    }

    private static string LengthOf(string source, string written) => char.IsDigit(written[0]) ? written : Regex.Match(source, $@"\b{written} = (\d+)").Groups[1].Value;

    [GeneratedRegex(@"^(unsigned long long|long long|\w+)")]
    private static partial Regex Type();

    [GeneratedRegex(@"\[(\w+)\]")]
    private static partial Regex Length();

    [GeneratedRegex("//.*")]
    private static partial Regex Comment();
}
