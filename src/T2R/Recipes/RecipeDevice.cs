namespace T2R.Recipes;

/// <summary>Where a recipe's model runs.</summary>
public enum RecipeDevice
{
    /// <summary>The first CUDA device if libtorch sees one, else the CPU.</summary>
    Auto,

    /// <summary>The CPU.</summary>
    Cpu,

    /// <summary>The first CUDA device; an error without one.</summary>
    Cuda,
}
