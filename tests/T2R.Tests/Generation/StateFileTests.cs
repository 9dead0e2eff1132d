using System.Text;
using T2R.Checkpoints;
using T2R.Generation;
using T2R.Generation.Decoding;
using T2R.Models;
using T2R.Tests.Checkpoints;
using T2R.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Generation;

public sealed class StateFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ModelConfig _config;
    private readonly SequenceState _state;

    public StateFileTests()
    {
        new TinyModel(new TinyShape { HybridLayers = [] }).Save(_folder["m"]);
        using var opened = ModelFolder.Open(_folder["m"]);
        using var model = opened.Load(CPU, ScalarType.Float32);
        using var decoder = new TensorDecoder(model, 1);
        decoder.Prefill(0, [1, 5, 9]);
        (_config, _state) = (model.Config, new SequenceState(opened.Fingerprint(), decoder.Save(0), [7, 8], 41, [1, 5, 7, 8, 9]));
        StateFile.Write(Path, _state, _config);
    }

    private string Path => _folder["a.state"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_is_read_is_what_was_written()
    {
        var read = Read();
        Assert.Equal((_state.Fingerprint, 3, 5, 41), (read.Fingerprint, read.Memory.Length, read.Length, read.Draws));
        Assert.Equal(_state.Unread, read.Unread);
        Assert.Equal(_state.Seen, read.Seen);
        Assert.Equal(_state.Memory.Keys, read.Memory.Keys);
        Assert.Equal(_state.Memory.Values, read.Memory.Values);
        using var file = SafeTensorsFile.Open(Path);
        Assert.Equal("0.1.0", file.Metadata["t2r_version"]);
    }

    [Fact]
    public void Another_models_is_refused_with_both_fingerprints() =>
        Assert.All(["0123456789abcdef", _state.Fingerprint], f => Assert.Contains(f, Error(() => StateFile.Read(Path, _config, "0123456789abcdef"))));

    [Fact]
    public void A_file_that_is_cut_off_anywhere_is_refused()
    {
        byte[] bytes = File.ReadAllBytes(Path);
        foreach (int length in Enumerable.Range(0, 40).Select(i => (int)((long)bytes.Length * i / 40)).Append(bytes.Length - 1))
        {
            File.WriteAllBytes(Path, bytes[..length]);
            Assert.Contains(Path, Error(() => Read()));
        }
    }

    [Fact]
    public void A_file_that_is_no_state_is_refused()
    {
        Assert.Contains("no sequence's state", Error(() => StateFile.Read(_folder["m/model.safetensors"], _config, _state.Fingerprint)));
        Assert.Contains("SafeTensors", Error(() => StateFile.Read(_folder["m/config.json"], _config, _state.Fingerprint)));
        Assert.Contains("no such file", Error(() => StateFile.Read(_folder["none"], _config, _state.Fingerprint)));
    }

    [Theory]
    [InlineData("layers.1.keys", "layers.9.keys", "'layers.1.keys' [")]
    [InlineData("\"unread\"", "\"unreal\"", "'unread'")]
    [InlineData("\"41\"", "\"4x\"", "'draws'")]
    [InlineData("\"length\":\"3\"", "\"length\":\"-\"", "'length'")]
    public void What_is_missing_or_not_right_is_named(string right, string wrong, string named)
    {
        string text = Encoding.Latin1.GetString(File.ReadAllBytes(Path));
        Assert.Contains(right, text);
        File.WriteAllBytes(Path, Encoding.Latin1.GetBytes(text.Replace(right, wrong, StringComparison.Ordinal)));
        Assert.Contains(named, Error(() => Read()));
    }

    [Fact]
    public void Ids_that_are_not_the_models_are_refused()
    {
        StateFile.Write(Path, _state with { Unread = [60], Seen = [-1] }, _config);
        Assert.All(["'unread'", "'seen'"], n => Assert.Contains(n, Error(() => Read())));
    }

    [Fact]
    public void A_folder_that_is_not_there_is_named() => Assert.Contains("folder does not exist", Error(() => StateFile.Write(_folder["none/a.state"], _state, _config)));

    private static string Error(Action action) => Assert.Throws<UserErrorException>(action).Message;

    private SequenceState Read() => StateFile.Read(Path, _config, _state.Fingerprint);
}
