using System.Diagnostics;
using T2R.Tests.Checkpoints;
using T2R.Tests.Conversion;
using Xunit;

namespace T2R.Tests.Cli;

/// <summary>A source that another process cuts off while the program reads it is an error in words; a mapped file would kill the program (SIGBUS).</summary>
public class TruncatedSourceTests
{
    [Fact]
    public async Task A_source_cut_off_while_it_is_converted_ends_with_exit_code_1_and_leaves_nothing()
    {
        using var temporary = new TemporaryFolder();

        // Where the machine is so busy that the conversion is done before the cut, it is tried again.
        for (int attempt = 1; ; attempt++)
        {
            TinyTransformer.Write(temporary["source"], TinyTransformer.Config with { VocabularySize = 1_500_000 });
            using var process = T2rProcess.Start(["convert", temporary["source"], "--out", temporary["target"]]);
            var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            SpinWait.SpinUntil(() => process.HasExited || temporary.Names.Any(n => n.StartsWith(".target.partial", StringComparison.Ordinal)), TimeSpan.FromMinutes(1));
            Process.Start("truncate", ["-s", "20000", temporary["source/model.safetensors"]]).WaitForExit();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            if (process.ExitCode == 0 && attempt < 5)
            {
                Directory.Delete(temporary["source"], recursive: true);
                Directory.Delete(temporary["target"], recursive: true);
                continue;
            }

            Assert.Equal(1, process.ExitCode);
            Assert.Contains($"{temporary["source/model.safetensors"]}: the file became shorter while tensor '", await error);
            Assert.Equal(["source"], temporary.Names);
            return;
        }
    }
}
