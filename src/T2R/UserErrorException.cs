namespace T2R;

/// <summary>
/// What the user gave is wrong: a file, a recipe key, an argument. It carries every problem found, not the first, each a sentence that names the
/// file, tensor or key, what was found, what was expected and what to do. The program prints them all and exits with code 2.
/// </summary>
public sealed class UserErrorException : Exception
{
    /// <summary>One problem.</summary>
    /// <param name="problem">The sentence to show.</param>
    /// <param name="inner">What revealed it, if an exception did.</param>
    public UserErrorException(string problem, Exception? inner = null)
        : base(problem, inner) => Problems = [problem];

    /// <summary>Several problems, found in one pass.</summary>
    /// <param name="problems">At least one sentence.</param>
    public UserErrorException(IReadOnlyList<string> problems)
        : base(string.Join(Environment.NewLine, problems)) => Problems = problems;

    /// <summary>Every problem, in the order found.</summary>
    public IReadOnlyList<string> Problems { get; }
}
