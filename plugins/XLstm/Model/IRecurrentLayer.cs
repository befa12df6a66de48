using static TorchSharp.torch;

namespace Zoo.XLstm.Model;

/// <summary>The recurrent part of a block.</summary>
internal interface IRecurrentLayer
{
    /// <summary>A state with nothing before it.</summary>
    BlockState NewState(int batch);

    /// <param name="x">[batch, time, dim].</param>
    /// <param name="state">What was before, changed to what is after; null for nothing before, and nothing kept.</param>
    /// <param name="drop">Dropout, where the model is in training; where in the layer it belongs is the layer's business.</param>
    /// <returns>[batch, time, dim].</returns>
    Tensor Forward(Tensor x, BlockState? state, Func<Tensor, Tensor> drop);
}
