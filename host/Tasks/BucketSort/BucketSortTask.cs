using Zoo.Architectures;
using Zoo.Tasks;

namespace Zoo.Host.Tasks;

/// <summary>
/// The string again, sorted: after its symbols come as many blanks ("."), and at each the next symbol in order is to be named; the model is not
/// shown the ones before. Probes counting, and reading the counts back out. A row:
/// `8 4 4 5 10 .→4 .→4 .→5 .→8 .→10`.
/// </summary>
internal sealed class BucketSortTask() : FormalLanguageTask<BucketSortOptions>(new BucketSortOptions())
{
    public override TaskInfo Info { get; } = new("bucket-sort", "The symbols of the string in order", ModelKind.TokenModel)
    {
        Skill = "counting each symbol, and counting down again while writing",
        Example = "8 4 4 5 10 .→4 .→4 .→5 .→8 .→10",
        ExampleOptions = ["length=8", "min_length=5"],
        Chance = "a scaled accuracy of 0, which is an accuracy of 1 / symbols: 1/10",
    };

    protected override TokenGenerator Generator(BucketSortOptions options) => new BucketSortGenerator(options.SymbolCount);
}
