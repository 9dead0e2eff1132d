using CsCheck;
using T2R.Server.Chat.Jinja;
using Xunit;

namespace T2R.Tests.Server.Jinja;

/// <summary>What Jinja2 3.1.6 writes, set up as transformers sets it up: <c>trim_blocks</c>, <c>lstrip_blocks</c>, and its own <c>tojson</c>.</summary>
public sealed class JinjaTemplateTests
{
    [Theory]
    [InlineData("{{ 1 + 2 * 3 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 6 / 2 }} {{ 2 - -2 }}", "7 3 -4 2 3.5 1024 3.0 4")]
    [InlineData("{{ 'a' ~ 1 ~ none ~ true }} {{ 'a' 'b' }} {{ 'ab' * 3 }} {{ [1] + [2] }}", "a1NoneTrue ab ababab [1, 2]")]
    [InlineData("{{ [1, 'a', none, true, 1.5] }} {{ {'a': 1, 'b': [1]} }} {{ (1, 2) }} {{ (1,) }} {{ 1, 2 }}", "[1, 'a', None, True, 1.5] {'a': 1, 'b': [1]} (1, 2) (1,) (1, 2)")]
    [InlineData("{{ 'abc'[1:] }} {{ 'abc'[::-1] }} {{ 'abc'[-1] }} {{ [1,2,3][-2:] }} {{ [1,2,3][:-1] }} {{ 'é😀x'[1] }}", "bc cba c [2, 3] [1, 2] 😀")]
    [InlineData("{{ x }}{{ x is defined }} {{ x is not defined and not x }} {{ messages[0].nokey }}{{ messages[9] }}.", "False True .")]
    [InlineData("{{ messages[0].content | trim | upper | replace('H', 'J') }} {{ messages | length }} {{ 'é😀x' | length }}", "JI 3 3")]
    [InlineData("{{ messages | map(attribute='role') | join(', ') }} {{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "system, user, assistant 1")]
    [InlineData("{% for m in messages %}{{ loop.index }}/{{ loop.length }}{{ loop.first }}{{ loop.last }}{{ loop.revindex0 }} {% endfor %}", "1/3TrueFalse2 2/3FalseFalse1 3/3FalseTrue0 ")]
    [InlineData("{% for m in [] %}a{% else %}none{% endfor %}{% for a, b in {'x': 1, 'y': 2}.items() %}{{ a }}={{ b }};{% endfor %}", "nonex=1;y=2;")]
    [InlineData("{% for a in range(5) if a is odd %}{{ a }}{{ loop.index0 }} {% endfor %}", "10 31 ")]
    [InlineData("{% for a in range(5) %}{% if a == 1 %}{% continue %}{% endif %}{% if a == 3 %}{% break %}{% endif %}{{ a }}{% endfor %}", "02")]
    [InlineData("{% set ns = namespace(a=1) %}{% for i in range(3) %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}", "4")]
    [InlineData("{% set a = 1 %}{% for i in [1] %}{% set a = 2 %}{% endfor %}{{ a }}{% if true %}{% set a = 3 %}{% endif %}{{ a }}", "13")]
    [InlineData("{% macro m(a, b='x') %}[{{ a }}{{ b }}]{% endmacro %}{{ m(1) }}{{ m(1, b=2) }}{{ m(b=3, a=4) }}", "[1x][12][43]")]
    [InlineData("{% set s %}a{{ 1 }}b{% endset %}{{ s | upper }}{% set a, b = 1, 2 %}{{ a + b }}", "A1B3")]
    [InlineData("{{ 'a' if false }}{{ 'a' if false else 'b' if false else 'c' }} {{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }} {{ not 1 == 2 }}", "c True False True")]
    [InlineData("{{ 'a' in 'abc' }} {{ 'x' not in ['a'] }} {{ 'a' in {'a': 1} }} {{ 'x' is in ['x'] }} {{ [1, 2] == [1, 2] }} {{ 1 == 1.0 }} {{ 'a' == 1 }}", "True True True True True True False")]
    [InlineData("{{ true and 'x' }} {{ none or 'y' }} {{ 0 or '' or 'z' }} {{ not true or true }}", "x y z True")]
    [InlineData("{{ {'a': ['é', 1.0, none, true], 'b': {}} | tojson }}", "{\"a\": [\"é\", 1.0, null, true], \"b\": {}}")]
    [InlineData("{{ {'a': [1], 'b': {}} | tojson(indent=2) }}", "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}")]
    [InlineData("{{ 'a  b c'.split() }} {{ 'a,b,c'.split(',', 1) }} {{ ' x '.strip() }}.{{ 'xxaxx'.strip('x') }}.{{ 'abc'.endswith(('b', 'c')) }}", "['a', 'b', 'c'] ['a', 'b,c'] x.a.True")]
    [InlineData("{{ 'hELLO you'.title() }} {{ 'hELLO'.capitalize() }} {{ \"they're\" | title }} {{ 'aaa' | replace('a', 'b', 2) }}", "Hello You Hello They're bba")]
    [InlineData("{{ [1, 2, 3] | reject('equalto', 2) | list }} {{ [0, 1] | select | list }} {{ messages | selectattr('role') | list | length }}", "[1, 3] [1] 3")]
    [InlineData("{{ x | default('d') }} {{ '' | default('d', true) }} {{ [3, 1, 2] | sort | first }} {{ [1, 2] | last }} {{ 'abc' | reverse }}", "d d 1 2 cba")]
    [InlineData("{{ strftime_now('%d %b %Y') }} {{ strftime_now('%H:%M:%S %p %A %-d %%') }}", "06 Jul 2024 09:05:03 AM Saturday 6 %")]
    [InlineData("{{ none.a is defined }} {{ messages[0].role == 'system' and messages[0].content is string }} {{ {} is mapping }} {{ 3 is even }}", "False True True False")]
    [InlineData("{% raw %}\n{{ a }}{% endraw %}\nb{# c #}x{{ '{{' }} {{ {'a': {'b': 1}}['a']['b']}}", "\n{{ a }}bx{{ 1")]
    [InlineData("a\n  {% if true %}\n  b\n  {% endif %}\n c", "a\n  b\n c")]
    [InlineData("a\n  {%- if true -%}\n  b\n  {%- endif -%}\n c", "abc")]
    [InlineData("a\n  {{ 1 }}\n b {{- 1 -}}\n c", "a\n  1\n b1c")]
    [InlineData("{# x #}\na\n  {# y #}\nb {# z #} c\n", "a\nb  c")]
    [InlineData("a\n{%+ if true %}\nb\n  {%+ endif %}\nc", "a\nb\n  c")]
    [InlineData("a\r\n{% if true %}\r\nb{% endif %}", "a\nb")]
    [InlineData("{% generation %}a{% endgeneration %}b", "ab")]
    [InlineData("{{ [1, 3, 2] | sort(reverse=true) }} {{ 'xax' | trim(chars='x') }} {{ ['a', 'b'] | join(d='-') }} {{ {'b': 1, 'a': 'é'} | tojson(sort_keys=true, ensure_ascii=true) }}", "[3, 2, 1] a a-b {\"a\": \"\\u00e9\", \"b\": 1}")]
    [InlineData("{{ 'abc'[::9223372036854775807] }} {{ 'abc'[::-9223372036854775807] }} {{ [1, 2][-9223372036854775807:] }} {{ 'é😀x'[1:] }} {{ 'abcd'[1::2] }}", "a c [1, 2] 😀x bd")]
    [InlineData("{{ 1e15 }} {{ 1.5e15 }} {{ 1e16 }} {{ 1234567890123456.5 }} {{ 0.00001 }} {{ 0.0001 }} {{ -1e15 }} {{ 1e400 }} {{ [1e22] | tojson }} {{ 0.0 }} {{ 123.456 }} {{ 1.25e-7 }} {{ 100.0 }}", "1000000000000000.0 1500000000000000.0 1e+16 1234567890123456.5 1e-05 0.0001 -1000000000000000.0 inf [1e+22] 0.0 123.456 1.25e-07 100.0")]
    [InlineData("{{ 9007199254740993 == 9007199254740992 }} {{ -9223372036854775807 % -1 }} {{ 7 % -3 }} {{ (-1) ** 9223372036854775807 }} {{ 9223372036854775807 // 3 }}", "False 0 -2 -1 3074457345618258602")]
    [InlineData("{% if false %}a{% elif true %}b{% elif true %}c{% else %}d{% endif %}{{ not not not 1 }}{{ - - 1 }}", "bFalse1")]
    public void It_writes_what_Jinja_writes(string template, string expected) => Assert.Equal(expected, Render(template));

    [Theory]
    [InlineData("{{ a | unknown }}", "the filter 'unknown'")]
    [InlineData("{{ a is unknown }}", "the test 'unknown'")]
    [InlineData("{% include 'x' %}", "the statement 'include'")]
    [InlineData("a\n{% call m() %}{% endcall %}", "line 2 has the statement 'call'")]
    [InlineData("{{ a | }}", "where a name was expected")]
    [InlineData("{{ 1 + }}", "where an expression was expected")]
    [InlineData("{% if a %}", "endif was expected")]
    [InlineData("{% endif %}", "the statement 'endif'")]
    [InlineData("{{ 'a", "a string that does not end")]
    [InlineData("{{ a", "does not end with '}}'")]
    [InlineData("{# a", "a comment that does not end")]
    [InlineData("{{ a ? b }}", "'?'")]
    [InlineData("{% for a of b %}{% endfor %}", "where 'in' was expected")]
    [InlineData("{{ a | sort(attribute='b') }}", "line 1: 'sort' is called with an argument 'attribute'")]
    [InlineData("{{ a | length(1) }}", "an argument too many; it takes value")]
    [InlineData("{{ a | replace('b') }}", "without its argument 'new'")]
    [InlineData("{{ a is equalto }}", "without its argument 'other'")]
    [InlineData("{{ a is defined(1) }}", "an argument too many")]
    [InlineData("a\n{% break %}", "line 2 has 'break' outside of a loop")]
    [InlineData("{% for a in b %}{% macro m() %}{% continue %}{% endmacro %}{% endfor %}", "'continue' outside of a loop")]
    public void What_it_does_not_support_is_named_when_it_is_read(string template, string expected) =>
        Assert.Contains(expected, Assert.Throws<JinjaException>(() => new JinjaTemplate(template)).Message);

    [Theory]
    [InlineData("{{ raise_exception('no') }}", "no")]
    [InlineData("{{ x.y.z }}", "'x' is undefined")]
    [InlineData("{{ f() }}", "is called")]
    [InlineData("{{ 'a' + 1 }}", "a text stands beside '+'")]
    [InlineData("{{ 1 // 0 }}", "division by zero")]
    [InlineData("{{ 'a' < 1 }}", "cannot be compared")]
    [InlineData("{{ [1, 'a'] | sort }}", "cannot be compared")]
    [InlineData("{{ 'x'.join() }}", "without its argument 'iterable'")]
    [InlineData("{{ 9223372036854775807 + 1 }}", "too large")]
    [InlineData("{{ 4611686018427387904 * 2 }}", "too large")]
    [InlineData("{{ 2 ** 63 }}", "too large")]
    [InlineData("{{ range(9223372036854775800, 9223372036854775807, 5) | list }}", "too large")]
    [InlineData("{% for i in 3 %}{% endfor %}", "no elements")]
    [InlineData("{{ range(1000000000) | length }}", "more than 100000 numbers")]
    [InlineData("{{ 'a' * 1000000000 }}", "too much work")]
    [InlineData("{{ messages | map('replace', 'a') | list }}", "a filter that needs no arguments")]
    [InlineData("{{ messages | map('replace') | list }}", "'replace' is called without its argument 'old'")]
    [InlineData("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "the macro 'm' is called with an argument too many; it takes a")]
    [InlineData("{% macro m(a) %}{% endmacro %}{{ m(1, b=2) }}", "'b'")]
    [InlineData("{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}", "twice")]
    [InlineData("{{ 'a'.strip('b', 'c') }}", "'strip' is called with an argument too many")]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "calls itself without end")]
    [InlineData("{% set messages.a = 1 %}", "is no namespace")]
    [InlineData("{{ strftime_now('%Q') }}", "'%Q'")]
    public void What_cannot_be_rendered_is_said(string template, string expected) => Assert.Contains(expected, Assert.Throws<JinjaException>(() => Render(template)).Message);

    [Theory]
    [InlineData("{{ ", "(", "1", ")", " }}")]
    [InlineData("{{ ", "[", "", "]", " }}")]
    [InlineData("{{ ", "not ", "1", "", " }}")]
    [InlineData("{{ ", "- ", "1", "", " }}")]
    [InlineData("{{ ", "+", "1", "", " }}")]
    [InlineData("{{ ", "1 if 1 else ", "1", "", " }}")]
    [InlineData("{{ ", "a[", "1", "]", " }}")]
    [InlineData("", "{% if 1 %}", "", "{% endif %}", "")]
    [InlineData("", "{% for a in b %}", "", "{% endfor %}", "")]
    [InlineData("", "{% set a %}", "", "{% endset %}", "")]
    [InlineData("", "{% macro m() %}", "", "{% endmacro %}", "")]
    public void What_is_nested_without_end_is_refused(string begin, string open, string inside, string close, string end)
    {
        string deep = string.Concat(Enumerable.Repeat(open, 20_000)) + inside + string.Concat(Enumerable.Repeat(close, 20_000));
        Assert.Contains("nested too deep", Assert.Throws<JinjaException>(() => new JinjaTemplate(begin + deep + end)).Message);
    }

    // What is long and not deep may be rendered as long as the stack allows.
    [Theory]
    [InlineData("1", " + 1")]
    [InlineData("'a'", " ~ 'a'")]
    [InlineData("0", " or 0")]
    [InlineData("1", " and 1")]
    [InlineData("'a'", " | trim")]
    [InlineData("messages", "[0:]")]
    [InlineData("1", " if 1")]
    [InlineData("x", " is defined")]
    [InlineData("'a'", ".strip()")]
    public void What_is_long_is_rendered_or_refused(string first, string more)
    {
        Assert.NotNull(Render($"{{{{ {first}{string.Concat(Enumerable.Repeat(more, 200))} }}}}"));
        if (Record.Exception(() => Render($"{{{{ {first}{string.Concat(Enumerable.Repeat(more, 900_000 / more.Length))} }}}}")) is { } error)
        {
            Assert.Matches("too much work|nested too deep", Assert.IsType<JinjaException>(error).Message);
        }
    }

    [Theory]
    [InlineData("{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}")]
    [InlineData("{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns | tojson }}")]
    [InlineData("{% set a = namespace() %}{% set b = namespace() %}{% set a.x = b %}{% set b.x = a %}{{ a == b }}")]
    [InlineData("{% macro m(n) %}{{ m(n - 1) }}{{ m(n - 1) }}{% endmacro %}{{ m(50) }}")]
    [InlineData("{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(50) }}")]
    [InlineData("{% for a in range(100000) %}{% for b in range(100000) %}{% for c in range(100000) %}{% endfor %}{% endfor %}{% endfor %}")]
    [InlineData("{% set ns = namespace(a='aa') %}{% for i in range(100) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}")]
    [InlineData("{% set ns = namespace(a='aa') %}{% for i in range(100) %}{% set ns.a = ns.a + ns.a %}{% endfor %}")]
    [InlineData("{% set ns = namespace(a='aa') %}{% for i in range(100) %}{% set ns.a = ns.a.replace('a', ns.a) %}{% endfor %}")]
    [InlineData("{% set ns = namespace(a=[1]) %}{% for i in range(100) %}{% set ns.a = ns.a + ns.a %}{% endfor %}")]
    [InlineData("{% set ns = namespace(a=[1]) %}{% for i in range(100) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}")]
    [InlineData("{% set ns = namespace(a=[1]) %}{% for i in range(100) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a | tojson }}")]
    [InlineData("{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(100) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}")]
    [InlineData("{% set a = 'a' * 1000000 %}{{ range(100000) | join(a) }}")]
    [InlineData("{% set a = 'a' * 1000000 %}{% for i in range(100000) %}{% if 'b' in a %}{% endif %}{% endfor %}")]
    [InlineData("{% set a = 'a' * 1000000 %}{% for i in range(100000) %}{{ a | length }}{{ a[0] }}{% endfor %}")]
    [InlineData("{% for i in range(100000) %}{{ range(100000) | list | length }}{% endfor %}")]
    [InlineData("{{ range(100000) | list | tojson(separators=('a' * 100000, '')) }}")]
    [InlineData("{% for i in range(100000) %}{{ messages | map('tojson') | join('a' * 10000) }}{% endfor %}")]
    public void What_would_not_end_or_fill_the_memory_is_stopped(string template)
    {
        string message = Assert.Throws<JinjaException>(() => Render(template)).Message;
        Assert.Matches("too much work|nested too deep|calls itself without end", message);
    }

    // A recurrent model reads prompts of any length.
    [Fact]
    public void A_long_conversation_is_rendered()
    {
        string book = new('a', 20_000_000);
        Assert.Equal(book.Length + 1, new JinjaTemplate("{% for m in messages %}{{ ' ' + m.content | trim + '\n' | trim }}{% endfor %}").Render(new JinjaMap { ["messages"] = new List<object?> { Message("user", book) } }).Length);
    }

    // A template is rendered by as many at once as there are requests, and as often.
    [Fact]
    public void Renderings_share_nothing()
    {
        var template = new JinjaTemplate("{% macro m(n) %}{{ n }}{{ m(n - 1) if n else '' }}{% endmacro %}{{ m(60) }}");
        string expected = string.Concat(Enumerable.Range(0, 61).Reverse());
        Parallel.For(0, 2000, _ => Assert.Equal(expected, template.Render([])));
    }

    [Fact]
    public void Anything_is_read_or_refused_and_rendered_or_refused()
    {
        string[] atoms =
        [
            "{% ", " %}", "{{ ", " }}", "{%- ", " -%}", "{# ", " #}", "if ", "else ", "elif ", "endif ", "for ", "in ", "endfor ", "set ", "endset ", "macro ", "endmacro ", "raw ", "endraw ", "x", "messages", "loop", "m",
            ".", "content", "role", "[", "]", "(", ")", "{", "}", ",", ":", "=", "==", "<", "+", "-", "*", "/", "//", "%", "**", "~", "|", "trim", "length", "tojson", "join", "map", "selectattr", "is ", "not ", "defined ",
            "and ", "or ", "'a'", "\"", "'", "1", "0", "2.5", "none", "true", "namespace", "range", "split", "items", ".join(", ".get(", ".replace(", "| sort", "| first", "| reverse", "| tojson(", "| replace(", "| join(", "| map(", "| default(", "| list", "9223372036854775807", "[1, 'a']", "loop.previtem", "namespace(x=x)", "{% set x = ", "{% set x.a = x %}", "x ~ x", "[x, x]", "::", "range(99999)", "{% for i in range(99999) %}", "{% break %}", "reverse=", "{{ x() }}", "not not ", "- -", "{% macro x(a) %}", "\n", " ", "\\", "é",
        ];
        Gen.Select(Gen.OneOf(atoms).Array[1, 12], Gen.Int[0, 2]).Sample(
            (parts, kind) =>
            {
                string inside = string.Concat(parts), template = kind switch { 0 => inside, 1 => $"{{{{ {inside} }}}}", _ => $"{{% for m in messages %}}{{{{ {inside} }}}}{{% endfor %}}" };
                try
                {
                    Render(template);
                }
                catch (JinjaException e)
                {
                    Assert.NotEmpty(e.Message);
                }
            },
            iter: 40_000);
    }

    private static string Render(string template)
    {
        var messages = new List<object?> { Message("system", " hi "), Message("user", "one"), Message("assistant", "two") };
        return new JinjaTemplate(template) { Now = () => new DateTime(2024, 7, 6, 9, 5, 3, DateTimeKind.Local) }.Render(new JinjaMap { ["messages"] = messages });
    }

    private static JinjaMap Message(string role, string content) => new() { ["role"] = role, ["content"] = content };
}
