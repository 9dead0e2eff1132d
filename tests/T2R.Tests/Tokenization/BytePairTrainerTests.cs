using System.Text;
using T2R.Tests.Checkpoints;
using T2R.Tokenization;
using Xunit;

namespace T2R.Tests.Tokenization;

public sealed class BytePairTrainerTests
{
    private static readonly string[] Lines =
    [
        "The state is a matrix. The matrix is written once per token and read once per token.",
        "A gate of one keeps what was written; a gate of zero forgets it, and 100 % of it.",
        "    for (int i = 0; i < 1024; i++) { state[i] = gate[i] * state[i] + write[i]; }",
        "    return state; // the state that was kept, aaaa bananabanana",
        "Größe, naïve café, Ωμέγα, привет мир, 日本語のトークン、日本語のトー, ----====---- 😀😀😀",
        "Returns: the number of tokens. Throws ArgumentException: when the token is not in the vocabulary.",
    ];

    // What SentencePiece's own spm_train makes of these lines, each a sentence: --model_type=bpe --vocab_size=460 --byte_fallback --split_digits
    // --normalization_rule_name=identity --remove_extra_whitespaces=false --allow_whitespace_only_pieces --character_coverage=1.
    private const string GenuinePieces =
        """
        at ▁i ▁t en ▁▁ ate ▁o ▁w -- an he ri st ▁st ▁state er ok ▁of oken ▁the ▁token == aa ce et ▁T ▁g ▁n rit ▁is ▁on ▁gate
        ▁writ ab as ep fo rg rn um ▁= ▁A ▁a ▁k ▁m ▁p ▁r のト 日本 😀😀 and etu hat rix ten ▁fo ▁it のトー 日本語 ---- anan ▁The ▁and ▁mat
        ▁per ▁was ▁▁▁▁ eturn ▁once 日本語のトー ▁matrix ▁written +) // Ex Gr ]; ad af ar aï hr in io oc ot ow pt ul ve ße Ωμ έγ ве ир
        пр ▁% ▁( ▁* ▁+ ▁< ▁R ▁b ▁c ▁v ▁z ▁{ ▁} ▁м クン ++) Grö afé ary ber ead eep ent ept ero ets hen int ion ▁ t e a n i r o s h
        - w , f = k . ; c g p u 0 [ ] b m + T d x 😀 / 1 : A v и р の ト ー 日 本 語 % ( ) * 2 4 < E G R l y z { } ß é ï ö Ω έ α γ μ в
        е м п т 、 ク ン
        """;

    [Fact]
    public void Pieces_equal_those_of_SentencePiece_trainer()
    {
        SentencePieceModel model = Train(Lines, 460, coverage: 1);
        Assert.Equal(GenuinePieces.Split(' ', '\n'), model.Pieces.Skip(259).Select(piece => piece.Text));
        Assert.Equal(Enumerable.Range(0, 201).Select(rank => (float)-rank), model.Pieces.Skip(259).Select(piece => piece.Score));
    }

    [Fact]
    public void The_vocabulary_is_laid_out_as_Llamas()
    {
        SentencePieceModel model = Train(Lines, 420);
        Assert.Equal(420, model.Pieces.Count);
        Assert.Equal(["<unk>", "<s>", "</s>", "<0x00>", "<0x01>"], model.Pieces.Take(5).Select(piece => piece.Text));
        Assert.Equal(new SentencePiece("<0xFF>", 0, SentencePieceType.Byte), model.Pieces[258]);
        Assert.All(model.Pieces.Skip(259), piece => Assert.Equal(SentencePieceType.Normal, piece.Type));
    }

    [Fact]
    public void The_same_text_gives_the_same_file()
    {
        byte[] first = Train(Lines, 420).ToBytes();
        Assert.Equal(first, Train(Lines, 420).ToBytes());
        Assert.Equal(first, Train(Lines.Reverse(), 420).ToBytes());
    }

    [Fact]
    public void A_trained_model_encodes_its_text_in_few_ids_and_gives_it_back()
    {
        using var folder = new TemporaryFolder();
        Train(Lines, 460).Save(folder["tokenizer.model"]);
        TextTokenizer tokenizer = TokenizerFolder.Open(folder.Path);
        string text = string.Join('\n', Lines);
        IReadOnlyList<int> ids = tokenizer.EncodeToIds(text);
        Assert.Equal(text, tokenizer.Decode(ids));
        Assert.InRange(ids.Count, 1, Encoding.UTF8.GetByteCount(text) * 7 / 10);
    }

    [Fact]
    public void A_line_feed_is_its_byte_piece_and_ends_every_piece()
    {
        SentencePieceTokenizer tokenizer = new(Train(Enumerable.Repeat("ab\nab\tab", 9), 264));
        Assert.Equal(["▁ab", "<0x0A>", "ab", "<0x09>", "ab"], tokenizer.Pieces("ab\nab\tab"));
    }

    [Fact]
    public void Digits_stand_alone_and_words_do_not_mix_scripts() =>
        Assert.All(
            Train([.. Lines, .. Enumerable.Repeat("x1 22 aж жa, 日本a", 50)], 460).Pieces.Skip(259).Select(piece => piece.Text).Where(text => text.Length > 1),
            text => Assert.False(text.Any(char.IsAsciiDigit) || text is "aж" or "жa" or "本a" or "a," or "x1", text));

    [Fact]
    public void A_piece_never_has_the_name_of_a_special_one()
    {
        SentencePieceModel model = Train([.. Lines, string.Concat(Enumerable.Repeat("<s>", 1000)), string.Concat(Enumerable.Repeat("<ab>", 1000))], 470);
        Assert.Single(model.Pieces, piece => piece.Text == "<s>");
    }

    [Fact]
    public void A_size_that_the_text_cannot_fill_is_refused_with_the_one_it_can()
    {
        var error = Assert.Throws<UserErrorException>(() => Train(["ab ab"], 300));
        Assert.Contains("too large: this text yields 264 pieces", error.Message);
        Assert.Equal(264, Train(["ab ab"], 264).Pieces.Count);
        Assert.Contains("too small: 259 special pieces and 3 characters need 262", Assert.Throws<UserErrorException>(() => Train(["ab ab"], 261)).Message);
        Assert.Contains("yields 259", Assert.Throws<UserErrorException>(() => Train([], 300)).Message);
    }

    [Fact]
    public void Progress_ends_with_every_piece_found()
    {
        var reports = new List<StageProgress>();
        new BytePairTrainer { VocabularySize = 460, CharacterCoverage = 1 }.Train(Lines, new Collected(reports), TestContext.Current.CancellationToken);
        Assert.Equal(reports[^1].Total, reports[^1].Done);
        Assert.Equal("pieces", reports[^1].Unit);
    }

    [Fact]
    public void Training_stops_when_told_to() =>
        Assert.Throws<OperationCanceledException>(() => new BytePairTrainer { VocabularySize = 420 }.Train(Lines, stop: new CancellationToken(canceled: true)));

    private static SentencePieceModel Train(IEnumerable<string> documents, int size, float coverage = 0.9995f) =>
        new BytePairTrainer { VocabularySize = size, CharacterCoverage = coverage }.Train(documents, stop: TestContext.Current.CancellationToken);

    private sealed class Collected(List<StageProgress> reports) : IProgress<StageProgress>
    {
        public void Report(StageProgress value) => reports.Add(value);
    }
}
