using T2R.Checkpoints;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Checkpoints;

public class WeightsFingerprintTests
{
    [Fact]
    public void It_is_the_same_however_the_tensors_are_spread_and_another_for_other_numbers_names_shapes_or_dtypes()
    {
        using var temporary = new TemporaryFolder();
        using var scope = NewDisposeScope();
        var (a, b) = (arange(30000, ScalarType.Float32).view(100, 300), ones(3, ScalarType.BFloat16));
        string one = Fingerprint(1 << 30, ("a", a), ("b", b));
        Assert.Matches("^[0-9a-f]{64}$", one);
        Assert.Equal(one, Fingerprint(100, ("a", a), ("b", b)));
        Assert.Equal(one, Fingerprint(1 << 30, ("b", b), ("a", a)));

        Assert.NotEqual(one, Fingerprint(1 << 30, ("a", a), ("c", b)));
        Assert.NotEqual(one, Fingerprint(1 << 30, ("a", a.view(300, 100)), ("b", b)));
        Assert.NotEqual(one, Fingerprint(1 << 30, ("a", a), ("b", b.to(ScalarType.Float16))));
        Assert.NotEqual(one, Fingerprint(1 << 30, ("a", a), ("b", b * 2)));
        foreach (int place in new[] { 0, 15_000, 29_999 })
        {
            var changed = a.clone();
            changed.view(-1)[place] = -1;
            Assert.NotEqual(one, Fingerprint(1 << 30, ("a", changed), ("b", b)));
        }

        string Fingerprint(long shardBytes, params (string Name, Tensor Value)[] tensors)
        {
            using (var folder = new StagedFolder(temporary["model"], replace: true))
            {
                using (var writer = new CheckpointWriter(folder, [.. tensors.Select(t => new TensorSpec(t.Name, t.Value.dtype, [.. t.Value.shape]))], shardBytes))
                {
                    foreach (var (name, value) in tensors)
                    {
                        writer.Write(name, value);
                    }

                    writer.Finish();
                }

                folder.Commit();
            }

            using var opened = CheckpointFolder.Open(temporary["model"]);
            return WeightsFingerprint.Of(opened);
        }
    }
}
