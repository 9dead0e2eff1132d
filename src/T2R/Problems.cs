namespace T2R;

/// <summary>Collects mistakes in what the user gave, so that all of them are reported at once.</summary>
public sealed class Problems
{
    private readonly List<string> _sentences = [];

    /// <summary>Whether anything was found.</summary>
    public bool Any => _sentences.Count > 0;

    /// <summary>Adds one problem.</summary>
    /// <param name="sentence">Names the file, tensor or key, what was found, what was expected and what to do.</param>
    public void Add(string sentence) => _sentences.Add(sentence);

    /// <summary>Runs a check that throws <see cref="UserErrorException"/>, keeping what it says; other exceptions pass.</summary>
    /// <param name="check">The check.</param>
    /// <typeparam name="T">What the check yields.</typeparam>
    /// <returns>What it yielded, or null when it threw.</returns>
    public T? Try<T>(Func<T> check)
        where T : class
    {
        try
        {
            return check();
        }
        catch (UserErrorException e)
        {
            _sentences.AddRange(e.Problems);
            return null;
        }
    }

    /// <summary>Likewise, with the key that the user gave before what is said of its value.</summary>
    /// <param name="key">Such as <c>model.source</c>.</param>
    /// <param name="check">The check.</param>
    /// <typeparam name="T">What the check yields.</typeparam>
    /// <returns>What it yielded, or null when it threw.</returns>
    public T? Try<T>(string key, Func<T> check)
        where T : class
    {
        var found = new Problems();
        var result = found.Try(check);
        _sentences.AddRange(found._sentences.Select(s => $"{key}: {s}"));
        return result;
    }

    /// <summary>Likewise, of a check that yields nothing.</summary>
    /// <param name="check">The check.</param>
    public void Try(Action check)
    {
        try
        {
            check();
        }
        catch (UserErrorException e)
        {
            _sentences.AddRange(e.Problems);
        }
    }

    /// <summary>Throws when anything was found.</summary>
    /// <exception cref="UserErrorException">Holds every problem.</exception>
    public void ThrowIfAny()
    {
        if (Any)
        {
            throw new UserErrorException([.. _sentences]);
        }
    }
}
