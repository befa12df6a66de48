namespace Zoo.LeNet;

/// <summary>A pass of batch normalisation over some channels.</summary>
internal interface IChannelWork
{
    /// <summary>[batch, dim]: as many channels as a vector holds, from <paramref name="channel"/> on.</summary>
    void Columns<V>(int channel)
        where V : struct, IWide<V>;

    /// <summary>[batch, channel, element]: one channel, a vector of its elements at a time.</summary>
    void Plane<V>(int channel)
        where V : struct, IWide<V>;
}
