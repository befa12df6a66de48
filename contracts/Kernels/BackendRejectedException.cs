namespace Zoo.Kernels;

/// <summary>The backend that the user demanded does not take these inputs. The message has its reason.</summary>
public sealed class BackendRejectedException(string message) : UserException(message);
