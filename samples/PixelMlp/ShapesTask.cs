using Zoo;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Tasks;

namespace PixelMlp;

/// <summary>Which of four shapes is in the picture? Probes whether a model sees form at any place, size and small tilt.</summary>
internal sealed class ShapesTask : ITask
{
    public TaskInfo Info { get; } = new("shapes", "Discs, squares, triangles and crosses, 16 × 16", ModelKind.ImageClassifier)
    {
        Skill = "telling a form apart from its place, size and tilt",
        Example = "a 16 × 16 image, ink 1 on -1 with noise → 2 (triangle)",
        Chance = "75 % error",
    };

    public Settings Options { get; } = new ShapesOptions();

    public TaskData Open(TaskRequest request)
    {
        if (request.DataPath is not null)
            throw new UserException($"The task {Info.Name} draws its own images and reads none. Leave out --data.");
        return new ShapesData(ConfigJson.Bind(new ShapesOptions(), request.Options, $"task {Info.Name}"), request.Seed);
    }
}
