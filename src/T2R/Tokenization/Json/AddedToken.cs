namespace T2R.Tokenization.Json;

/// <summary>A token that is found in a text before anything else happens to it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">What is found.</param>
/// <param name="SingleWord">It counts only where no word character stands beside it.</param>
/// <param name="LeftStrip">White space before it belongs to it.</param>
/// <param name="RightStrip">White space behind it belongs to it.</param>
/// <param name="Normalized">It is found, itself normalized, in the normalized text.</param>
/// <param name="Special">It is a special token.</param>
internal sealed record AddedToken(int Id, string Content, bool SingleWord, bool LeftStrip, bool RightStrip, bool Normalized, bool Special)
{
    public static IReadOnlyList<AddedToken> Read(JsonPart file)
    {
        var tokens = new List<AddedToken>();
        foreach (JsonPart part in file.Objects("added_tokens"))
        {
            var token = new AddedToken(
                part.Number("id", -1), part.Text("content") ?? "", part.Flag("single_word"), part.Flag("lstrip"), part.Flag("rstrip"), part.Flag("normalized", true), part.Flag("special"));
            part.End();
            if (token.Id is < 0 or >= BpeModel.MostIds || token.Content.Length == 0)
            {
                part.Refuse($" has id {token.Id} and content '{token.Content}'; expected an id from 0 to {BpeModel.MostIds - 1}, and a content.");
            }
            else
            {
                tokens.Add(token);
            }
        }

        return tokens;
    }
}
