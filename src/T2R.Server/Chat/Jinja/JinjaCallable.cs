namespace T2R.Server.Chat.Jinja;

/// <summary>A filter, a test, a method, a function or a macro.</summary>
/// <param name="name">What it is called, in messages.</param>
/// <param name="parameters">What its arguments are called, by place.</param>
/// <param name="defaults">What the last of them are if they are not given.</param>
/// <param name="body">What it makes of an argument for each parameter.</param>
internal class JinjaCallable(string name, string[] parameters, object?[] defaults, Func<JinjaBudget, object?[], object?> body)
{
    /// <summary>A filter, whose first argument is what it filters, or a test.</summary>
    /// <param name="parameters">The name, and behind it what its further arguments are called, with spaces between.</param>
    /// <param name="body">What it makes of them.</param>
    /// <param name="defaults">What the last of them are if they are not given.</param>
    public static KeyValuePair<string, JinjaCallable> Of(string parameters, Func<JinjaBudget, object?[], object?> body, params object?[] defaults)
    {
        string[] names = parameters.Split(' ');
        return KeyValuePair.Create(names[0], new JinjaCallable($"'{names[0]}'", ["value", .. names[1..]], defaults, body));
    }

    /// <summary>Refuses arguments that it does not take, before their values are known.</summary>
    /// <param name="given">How many come by place.</param>
    /// <param name="named">What those that come by name are called.</param>
    /// <exception cref="JinjaException">One is too many, is not known, comes twice, or is missing.</exception>
    public void Check(int given, IReadOnlyCollection<string> named)
    {
        if (given > parameters.Length)
        {
            throw new JinjaException($"{name} is called with an argument too many; it takes {(parameters.Length == 0 ? "none" : string.Join(", ", parameters))}");
        }

        if (named.FirstOrDefault(n => Array.IndexOf(parameters, n) < given) is { } surplus)
        {
            throw new JinjaException($"{name} is called with an argument '{surplus}' that it does not take, or twice with it; it takes {(parameters.Length == 0 ? "none" : string.Join(", ", parameters))}");
        }

        for (int i = given; i < parameters.Length - defaults.Length; i++)
        {
            if (!named.Contains(parameters[i]))
            {
                throw new JinjaException($"{name} is called without its argument '{parameters[i]}'");
            }
        }
    }

    /// <summary>Calls it.</summary>
    /// <param name="budget">Pays for the arguments, for the call and for what comes of it.</param>
    /// <param name="given">Arguments by place.</param>
    /// <param name="named">Arguments by name.</param>
    public virtual object? Call(JinjaBudget budget, IReadOnlyList<object?> given, JinjaMap? named = null)
    {
        budget.Step();
        Check(given.Count, named is null ? [] : named.Keys);
        object?[] arguments = new object?[parameters.Length];
        for (int i = 0; i < arguments.Length; i++)
        {
            arguments[i] = i < given.Count ? given[i] : named is not null && named.TryGetValue(parameters[i], out object? value) ? value : defaults[i - parameters.Length + defaults.Length];
            budget.Use(arguments[i]);
        }

        object? result = body(budget, arguments);
        budget.Use(result);
        return result;
    }
}
