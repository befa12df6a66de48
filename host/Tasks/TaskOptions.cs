using System.Text.Json.Nodes;
using Zoo.Configuration;
using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>Reads what the user asks of a task.</summary>
internal static class TaskOptions
{
    private const string LengthKey = "length";

    /// <summary>The options with what was set over them; `--length` sets the option "length".</summary>
    /// <param name="defaults">The task's options.</param>
    /// <param name="request">What was asked.</param>
    /// <param name="task">The task.</param>
    /// <exception cref="ConfigException">A value is wrong, or the length was set twice.</exception>
    /// <exception cref="UserException">Data are given to a task that takes none.</exception>
    public static T Bind<T>(T defaults, TaskRequest request, TaskInfo task)
        where T : Settings
    {
        if (request.DataPath is not null && task.DataHelp is null)
            throw new UserException($"The task {task.Name} generates its examples and reads none. Leave out --data.");
        var values = request.Options.DeepClone().AsObject();
        if (request.Length is { } length)
        {
            if (!ConfigJson.Has(ConfigJson.Write(defaults), LengthKey))
                throw new UserException($"The samples of the task {task.Name} have one size; leave out --length.");
            if (values.TryGetPropertyValue(LengthKey, out var set) && set?.ToJsonString() != $"{length}")
            {
                throw new ConfigException($"task {task.Name}",
                    [$"'{LengthKey}' is {set?.ToJsonString() ?? "null"}, and --length is {length}; they mean the same, so give one of them."]);
            }
            values[LengthKey] = JsonValue.Create(length);
        }
        return ConfigJson.Bind(defaults, values, $"task {task.Name}");
    }
}
