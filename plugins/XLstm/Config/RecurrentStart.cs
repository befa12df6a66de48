namespace Zoo.XLstm.Config;

/// <summary>How an sLSTM cell's recurrent weights start.</summary>
public enum RecurrentStart
{
    /// <summary>All 0.</summary>
    Zeros,

    /// <summary>Uniform within 1/√width.</summary>
    Standard,
}
