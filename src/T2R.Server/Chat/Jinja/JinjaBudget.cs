using System.Runtime.CompilerServices;

namespace T2R.Server.Chat.Jinja;

/// <summary>
/// What one rendering may still do. Templates are downloaded, and render what clients send: one that would not end, or would fill the memory or the stack, is stopped with an error of its own.
/// </summary>
/// <param name="given">How many characters it is given; a text is gone through some times on its way into a prompt.</param>
internal sealed class JinjaBudget(long given)
{
    /// <summary>What each operation, and each element of a list, costs; a character that is read or written costs 1.</summary>
    public const int Operation = 16;

    private const long Most = 1L << 27;
    private const int EachCharacter = 64;
    private const int DeepestMacro = 100;

    private long _left = Most + (EachCharacter * given);
    private int _macros;

    /// <summary>Pays for an operation, which may stand inside others.</summary>
    /// <exception cref="JinjaException">Too much was done, or it stands inside too many others.</exception>
    public void Step()
    {
        Use(Operation);
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw new JinjaException("something in it is nested too deep");
        }
    }

    /// <summary>Pays for work, before it is done.</summary>
    /// <param name="amount">How much, in characters.</param>
    /// <exception cref="JinjaException">That is more than is left.</exception>
    public void Use(long amount) => _left = amount <= _left ? _left - amount : throw new JinjaException("it takes too much work: it would not end, or a text or list in it becomes too long");

    /// <summary>Pays for going through a value once.</summary>
    public void Use(object? value) => Use(value switch { string text => text.Length, List<object?> list => (long)Operation * list.Count, JinjaMap map => (long)Operation * map.Count, _ => 0 });

    /// <summary>Runs a macro.</summary>
    /// <exception cref="JinjaException">Too many are running inside each other.</exception>
    public object? Macro(string name, Func<object?> body)
    {
        try
        {
            return ++_macros <= DeepestMacro ? body() : throw new JinjaException($"the macro '{name}' calls itself without end");
        }
        finally
        {
            _macros--;
        }
    }
}
