using T2R.Data;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Data;

public sealed class XmlDocumentationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_type_and_its_members_become_one_page()
    {
        string[] pages = Pages("""
            <member name="T:My.Space.Bag`1"><summary>
                A bag of <see cref="T:System.String"/>s &amp; other <typeparamref name="T"/>.
              </summary><typeparam name="T">What it
                holds.</typeparam><remarks><para>First.</para><para>Second, see <see cref="M:My.Space.Bag`1.Add(`0)"/>.</para></remarks></member>
            <member name="M:My.Space.Bag`1.#ctor(System.Int32)"><summary>Makes one.</summary><param name="capacity">Room.</param></member>
            <member name="M:My.Space.Bag`1.Add(`0)"><summary>Adds.</summary><param name="item">The item, or <see langword="null"/>.</param>
              <returns><c>true</c> if <paramref name="item"/> is new.</returns>
              <exception cref="T:System.InvalidOperationException">The bag is full.

             -or-

             It is closed.</exception><exception cref="T:System.IO.IOException"/></member>
            <member name="P:My.Space.Bag`1.Item(System.Int32)"><value>The item.</value></member>
            <member name="M:My.Space.Bag`1.Undocumented"></member>
            <member name="M:My.Space.Bag`1.Inherited"><inheritdoc/></member>
            """);
        Assert.Equal(
            """
            # My.Space.Bag<T>

            A bag of Strings & other T.
            - T: What it holds.
            First.
            Second, see Add(T).

            ## Bag(Int32)
            Makes one.
            - capacity: Room.

            ## Add(T)
            Adds.
            - item: The item, or null.
            Returns: true if item is new.
            Throws InvalidOperationException: The bag is full. -or- It is closed.
            Throws IOException.

            ## Item[Int32]
            Value: The item.

            """,
            Assert.Single(pages));
    }

    [Fact]
    public void Fields_take_one_line_each()
    {
        string[] pages = Pages("""
            <member name="T:N.Color"><summary>A color.</summary></member>
            <member name="F:N.Color.Red"><summary>Like blood.</summary></member>
            <member name="F:N.Color.Green"><summary>Like grass.</summary></member>
            """);
        Assert.Equal(["# N.Color\n\nA color.\n\n- Red: Like blood.\n- Green: Like grass.\n"], pages);
    }

    [Theory]
    [InlineData("M:System.String.Join(System.String,System.String[])", "Join(String, String[])")]
    [InlineData("M:N.A.M", "M()")]
    [InlineData("M:N.A.M``1(System.Collections.Generic.List{``0})", "M<T>(List<T>)")]
    [InlineData("M:N.A.M``2(System.Func{``0,System.Collections.Generic.Dictionary{System.String,``1}},``1[])", "M<T1, T2>(Func<T1, Dictionary<String, T2>>, T2[])")]
    [InlineData("M:N.A`2.M(`1,`0)", "M(T2, T1)")]
    [InlineData("M:N.A.M(System.Int32@,System.Byte*,System.Int32[0:,0:],System.Int32[][])", "M(ref Int32, Byte*, Int32[,], Int32[][])")]
    [InlineData("M:N.A.M(System.Collections.Generic.Dictionary{System.String,System.Int32}.Enumerator)", "M(Dictionary<String, Int32>.Enumerator)")]
    [InlineData("M:N.A.op_Explicit(N.A)~System.Int32", "Explicit(A to Int32)")]
    [InlineData("M:N.A.op_Addition(N.A,N.A)", "Addition(A, A)")]
    [InlineData("M:N.A.System#Collections#Generic#ICollection{System#Collections#Generic#KeyValuePair{TKey@TValue}}#Add(System.Int32)", "ICollection<KeyValuePair<TKey, TValue>>.Add(Int32)")]
    [InlineData("P:N.A.Count", "Count")]
    [InlineData("P:N.A.Item(System.Int32,System.Int32)", "Item[Int32, Int32]")]
    [InlineData("E:N.A.Changed", "Changed")]
    [InlineData("M:N.A.Broken(System.Int32},{]", "Broken(Int32}, <]>)")]
    public void A_signature_is_short(string id, string expected) =>
        Assert.Equal(expected, new Signature(new TypeNames(new Dictionary<string, IReadOnlyList<string>>()), DocId.Parse(id), []).ToString());

    [Fact]
    public void Type_parameters_keep_their_names_in_nested_types()
    {
        string[] pages = Pages("""
            <member name="T:N.Map`2"><typeparam name="TKey">Key.</typeparam><typeparam name="TValue">Value.</typeparam></member>
            <member name="T:N.Map`2.Walker`1"><summary>Walks <see cref="T:N.Map`2"/>.</summary><typeparam name="TStep">Step.</typeparam></member>
            <member name="M:N.Map`2.Walker`1.Go(`0,`1,`2)"><summary>Goes on, unlike <see cref="M:N.Map`2.Stop(`1)"/>.</summary></member>
            """);
        Assert.Equal(2, pages.Length);
        Assert.Equal(
            "# N.Map<TKey, TValue>.Walker<TStep>\n\nWalks Map<TKey, TValue>.\n- TStep: Step.\n\n## Go(TKey, TValue, TStep)\nGoes on, unlike Map<TKey, TValue>.Stop(TValue).\n",
            pages[1]);
    }

    [Theory]
    [InlineData("a<list type=\"bullet\"><item>b</item><item><description>c</description></item><item><term>d</term><description>e</description></item></list>f", "a|- b|- c|- d: e|f")]
    [InlineData("<list type=\"table\"><listheader><term>X</term></listheader><item><term>1</term><description>one</description></item></list>", "- 1: one")]
    [InlineData("a\n\n   b\n  c<br/>d", "a|b c|d")]
    [InlineData("<code>\n    if (x)\n    {\n        y;\n    }\n</code>", "```|if (x)|{|    y;|}|```")]
    [InlineData("Set <code>x</code> to <b>1</b>.", "Set x to 1.")]
    [InlineData("<see cref=\"F:System.Int32.MaxValue\">Int32.MaxValue</see>, <see cref=\"P:System.String.Length\"/>, <see cref=\"M:System.String.#ctor(System.Char[])\"/>", "Int32.MaxValue, String.Length, String(Char[])")]
    [InlineData("<see href=\"https://example.org/a\">here</see> or <see href=\"https://example.org/b\"/>", "here or https://example.org/b")]
    [InlineData("An <xref data-throw-if-not-resolved=\"true\" uid=\"System.IO.Stream.Read(System.Byte[])\"></xref> of <xref uid=\"System.Func`2\"></xref>", "An Stream.Read(Byte[]) of Func<T1, T2>")]
    [InlineData("<see cref=\"!:Unknown\"/> <see cref=\"N:System.Text\"/>", "Unknown System.Text")]
    public void Tags_are_flattened(string summary, string expected)
    {
        string page = Assert.Single(Pages($"<member name=\"T:N.A\"><summary>{summary}</summary></member>"));
        Assert.Equal($"# N.A\n\n{expected.Replace('|', '\n')}\n", page);
    }

    [Fact]
    public void Equal_documents_and_equal_files_are_read_once()
    {
        const string First = "<member name=\"T:N.A\"><summary>a</summary></member>";
        Write("1.xml", First);
        Write("2.xml", First);
        Write("3.xml", First + "<member name=\"T:N.B\"><summary>b</summary></member><member name=\"T:N.C\"/>");
        Document[] documents = [.. CorpusReader.Open([_folder.Path]).Documents()];
        Assert.Equal(["# N.A\n\na\n", "# N.B\n\nb\n"], documents.Select(d => d.Text));
        Assert.EndsWith("3.xml: N.B", documents[1].Id);
    }

    [Fact]
    public void What_is_no_XML_documentation_is_named_with_its_line()
    {
        File.WriteAllText(_folder["broken.xml"], "<doc>\n<members>\n<member name=\"T:A\"><summary>x</member>\n</members></doc>");
        File.WriteAllText(_folder["other.xml"], "<project/>");
        Assert.Contains($"{_folder["broken.xml"]}, line 3: not valid XML", Fails("broken.xml"));
        Assert.Contains($"{_folder["other.xml"]}: the root element is <project>", Fails("other.xml"));
    }

    [Fact]
    public void The_reference_packs_of_the_build_are_found_by_their_NuGet_path()
    {
        ICorpus corpus = CorpusReader.Open(["nuget:Microsoft.NETCore.App.Ref/10.0.12/ref/net10.0/System.Collections.xml"]);
        Document[] documents = [.. corpus.Documents()];
        Document stack = Assert.Single(documents, d => d.Id.EndsWith(": System.Collections.Generic.Stack`1", StringComparison.Ordinal));
        Assert.StartsWith("# System.Collections.Generic.Stack<T>\n\n", stack.Text);
        Assert.Contains("\n## CopyTo(T[], Int32)\nCopies the Stack<T> to an existing one-dimensional Array, starting at the specified array index.\n- array: ", stack.Text);
        Assert.Contains("\nThrows ArgumentNullException: array is null.\n", stack.Text);
        Assert.All(documents, d => Assert.DoesNotContain("<see", d.Text));
    }

    private string Fails(string name) => Assert.Throws<UserErrorException>(() => CorpusReader.Open([_folder[name]]).Documents().Count()).Message;

    private string[] Pages(string members)
    {
        Write("a.xml", members);
        return [.. CorpusReader.Open([_folder["a.xml"]]).Documents().Select(d => d.Text)];
    }

    private void Write(string name, string members) =>
        File.WriteAllText(_folder[name], $"<?xml version=\"1.0\"?>\n<doc><assembly><name>A</name></assembly><members>\n{members}</members></doc>");
}
