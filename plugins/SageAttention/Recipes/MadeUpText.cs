using System.Text;

namespace Zoo.SageAttention.Recipes;

/// <summary>A text to train on where no file is named: short stories of names, places and things that come back, so that there is something to attend to.</summary>
internal static class MadeUpText
{
    private static readonly string[] Names = ["Anna", "Boris", "Clara", "David", "Edith", "Frank", "Greta", "Henry", "Irene", "Jonas", "Karla", "Louis"];
    private static readonly string[] Places = ["harbour", "market", "garden", "mill", "library", "station", "orchard", "bridge", "chapel", "lighthouse"];
    private static readonly string[] Things = ["lantern", "letter", "basket", "violin", "key", "map", "coat", "clock", "ladder", "kettle", "ring", "book"];
    private static readonly string[] Kinds = ["old", "small", "heavy", "broken", "green", "silver", "borrowed", "strange", "plain", "beautiful"];
    private static readonly string[] Moves = ["walked", "hurried", "rode", "wandered", "went back", "was sent", "ran"];

    /// <summary>So many characters, the same for the same seed.</summary>
    public static string Of(int length, int seed)
    {
        var choose = new Random(seed);
        var text = new StringBuilder();
        while (text.Length < length)
        {
            var (hero, friend, thing, kind, place) = (From(Names), From(Names), From(Things), From(Kinds), From(Places));
            text.Append($"{hero} had a {kind} {thing}. One morning {hero} {From(Moves)} to the {place} with the {thing}");
            text.Append(choose.Next(2) == 0 ? $", and {friend} was there.\n" : $" and met {friend}.\n");
            text.Append($"\"Is that your {thing}?\" asked {friend}. \"It is {kind}.\"\n");
            if (choose.Next(3) > 0)
                text.Append($"\"Yes,\" said {hero}, \"and I will not leave it at the {place}.\"\n");
            else
                text.Append($"\"No,\" said {hero}, \"I found it near the {From(Places)}. Take it, {friend}.\"\n");
            text.Append($"So {friend} {From(Moves)} to the {From(Places)}, and {hero} stayed at the {place}.\n\n");
        }
        return text.ToString(0, length);

        string From(string[] words) => words[choose.Next(words.Length)];
    }
}
