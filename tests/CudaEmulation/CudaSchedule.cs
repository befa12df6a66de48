namespace Zoo.CudaEmulation;

/// <summary>In which order the emulator runs the threads of a block, each as far as it can go. No result may depend on it.</summary>
public enum CudaSchedule
{
    /// <summary>The first thread first.</summary>
    Ascending,

    /// <summary>The last thread and the last block first.</summary>
    Descending,

    /// <summary>Any order, the same every time.</summary>
    Shuffled,
}
