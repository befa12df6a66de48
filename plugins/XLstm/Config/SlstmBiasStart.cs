namespace Zoo.XLstm.Config;

/// <summary>How an sLSTM cell's biases start.</summary>
public enum SlstmBiasStart
{
    /// <summary>Forget gates from 5 down to -7 across a head, the deeper the block the later; the others 0.</summary>
    PowerlawBlockdependent,

    /// <summary>Forget gates from 3 to 6 across a head; the others 0.</summary>
    SmallInit,

    /// <summary>All uniform within 1/√width.</summary>
    Standard,

    /// <summary>All 0.</summary>
    Zeros,
}
