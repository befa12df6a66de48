using Zoo.Faulty.Needed;

namespace Zoo.Faulty;

/// <summary>Cannot even be constructed without the other assembly.</summary>
public sealed class MissingDependencyArchitecture() : TinyArchitecture(Answer.Name);
