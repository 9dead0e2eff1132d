using T2R.Mixers;
using T2R.Models;
using T2R.Models.Recurrent;
using static TorchSharp.torch;

namespace T2R.Conversion;

/// <summary>
/// Turns a transformer's folder into a recurrent model's, tensor by tensor: what is copied goes from file to file untouched, while another thread makes what is new,
/// a few tensors ahead; memory holds no more than these.
/// </summary>
public static class Converter
{
    private const string Stage = "convert";

    /// <summary>Decides what becomes of every tensor.</summary>
    /// <param name="source">A transformer.</param>
    /// <param name="options">The user's choices.</param>
    /// <exception cref="UserErrorException">Everything that is wrong: a source that is recurrent already or has heads the target format cannot express, layers that do not exist, an unknown initialisation.</exception>
    public static ConversionPlan Plan(ModelFolder source, ConversionOptions options)
    {
        var target = ConversionTarget.Of(source.Config, options, Path.Combine(source.Path, "config.json"));
        var initialization = Initializations.Named(options.Initialization);
        var ofSource = WeightLayout.Of(source.Config).ToDictionary(s => s.Name, StringComparer.Ordinal);
        var entries = new List<LedgerEntry>();
        var dtypes = new Dictionary<string, ScalarType>(StringComparer.Ordinal);
        foreach (var (spec, made) in Weights(target, initialization))
        {
            string? stored = ofSource.TryGetValue(spec.Name, out var same) ? source.Stored(same).TensorName : null;
            dtypes[spec.Name] = options.Dtype ?? (stored is null ? source.Dtype : source.Tensors[stored].Dtype);
            entries.Add(Entry(spec, stored, made, stored is null || dtypes[spec.Name] == source.Tensors[stored].Dtype ? null : dtypes[spec.Name]));
        }

        var read = entries.Select(e => e.Source).ToHashSet(StringComparer.Ordinal);
        entries.AddRange(source.Tensors.Values.Where(t => !read.Contains(t.Name)).Select(t => new LedgerEntry(t.Name, null, LedgerAction.Dropped, t.Shape, WhyDropped(source, t.Name))));
        var ledger = new Ledger(entries, source.Tensors.Keys, WeightLayout.Of(target).Select(s => GatedSlotNames.Table.Theirs(s.Name)));
        return new ConversionPlan(source, options, initialization, target, ledger, dtypes);
    }

    /// <summary>Writes the converted folder: weights, config, tokenizer, <c>conversion.json</c> and a model card. Nothing is left when it fails or is cancelled.</summary>
    /// <param name="plan">What to do.</param>
    /// <param name="outFolder">The folder to make.</param>
    /// <param name="replace">Whether a model's folder that is there already is replaced.</param>
    /// <param name="progress">Told of the bytes written.</param>
    /// <param name="cancellation">Heeded between tensors.</param>
    /// <exception cref="UserErrorException">The folder exists and must not, or cannot, be replaced.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public static void Run(ConversionPlan plan, string outFolder, bool replace = false, IProgress<StageProgress>? progress = null, CancellationToken cancellation = default)
    {
        using var writer = new FolderWriter(outFolder, replace, plan.Target, spec => plan.Dtypes[spec.Name], plan.Source.Path, flush: true);
        var texts = Task.Run(() => Texts(plan, outFolder), CancellationToken.None);
        WriteWeights(plan, writer, progress, cancellation);
        foreach (var (name, text) in texts.GetAwaiter().GetResult())
        {
            writer.WriteText(name, text);
        }

        cancellation.ThrowIfCancellationRequested();
        writer.Commit();
    }

    private static (string Name, string Text)[] Texts(ConversionPlan plan, string outFolder)
    {
        var record = ConversionRecord.Of(plan);
        var card = new ModelCard
        {
            Name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(outFolder))),
            Config = plan.Target,
            Dtype = plan.Dtypes[WeightLayout.Embedding],
            Conversion = record,
        };
        return [(ConversionRecord.FileName, record.ToJson()), (ModelCard.FileName, card.ToMarkdown())];
    }

    private static void WriteWeights(ConversionPlan plan, FolderWriter writer, IProgress<StageProgress>? progress, CancellationToken cancellation)
    {
        var weights = Weights(plan.Target, plan.Initialization).ToLookup(w => w.Made is not null);
        var copies = new Queue<WeightSpec>(weights[false].Select(w => w.Spec));

        // One copy before the other thread begins to load libtorch: the system's loader then keeps a lock for which first calls of C functions wait.
        writer.Copy(copies.Dequeue(), plan.Source);
        using var maker = new WeightMaker(weights[true].Select(w => (w.Spec, Start(plan, w.Spec, w.Made!.Value))));
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            if (maker.TryTake(wait: copies.Count == 0, out var made))
            {
                using var value = made.Value;
                writer.Write(made.Spec, value);
            }
            else if (copies.TryDequeue(out var spec))
            {
                writer.Copy(spec, plan.Source);
            }
            else
            {
                return;
            }

            progress?.Report(new StageProgress(Stage, writer.WrittenBytes, writer.TotalBytes, "bytes"));
        }
    }

    private static Func<Tensor> Start(ConversionPlan plan, WeightSpec spec, (int Layer, string Part, string Reason) made) => () =>
    {
        var target = (GatedSlotAttentionConfig)plan.Target.Mixers[made.Layer];
        var layer = new PretrainedLayer(plan.Source.Config, made.Layer, target, plan.Options.Seed, plan.Source.Read);
        return plan.Initialization.Start(made.Part, layer).to(plan.Dtypes[spec.Name]);
    };

    // Every weight of the target, with the layer and part that the initialisation makes it from, if it does.
    private static IEnumerable<(WeightSpec Spec, (int Layer, string Name, string Reason)? Made)> Weights(ModelConfig target, IInitialization initialization)
    {
        var made = new Dictionary<string, (int, string, string)>(StringComparer.Ordinal);
        for (int i = 0; i < target.Layers; i++)
        {
            if (target.Mixers[i] is GatedSlotAttentionConfig)
            {
                foreach (var (part, reason) in initialization.Parts)
                {
                    made.Add(WeightLayout.OfBlock(i, part), (i, part, reason));
                }
            }
        }

        return WeightLayout.Of(target).Select(s => (s, made.TryGetValue(s.Name, out var part) ? part : ((int, string, string)?)null));
    }

    private static LedgerEntry Entry(WeightSpec spec, string? stored, (int Layer, string Name, string Reason)? made, ScalarType? rounded)
    {
        string name = GatedSlotNames.Table.Theirs(spec.Name);
        string suffix = rounded is { } dtype ? $", as {DtypeName.Of(dtype)}" : string.Empty;
        return made is { } part
            ? new LedgerEntry(stored, name, stored is null ? LedgerAction.New : LedgerAction.Adapted, spec.Shape, part.Reason + suffix)
            : stored == name
                ? new LedgerEntry(stored, name, LedgerAction.Copied, spec.Shape, "the same in both formats" + suffix)
                : new LedgerEntry(stored, name, LedgerAction.Renamed, spec.Shape, "the target format's name" + suffix);
    }

    private static string WhyDropped(ModelFolder source, string tensor) => source.Format.Ignores(tensor)
        ? "a table of rotary angles, which every program computes itself"
        : "equal to the embedding, to which config.json ties it";
}
