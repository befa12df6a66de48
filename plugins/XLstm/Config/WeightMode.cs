namespace Zoo.XLstm.Config;

/// <summary>How a large layer's projections are stored.</summary>
public enum WeightMode
{
    /// <summary>A matrix each.</summary>
    Single,

    /// <summary>Queries, keys, values and output gate in one, both gates in one, and the two up-projections in one.</summary>
    Fused,
}
