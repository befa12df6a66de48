using System.Text;
using Zoo.Data;

namespace Zoo.Host.Tasks;

/// <summary>
/// A generated text of about 200,000 characters, so that language models can be trained without any file: short stories about people, their
/// things and animals, in simple English. Spelling, agreement of verbs, tenses, pronouns that fit the person, who owns what, and quotation
/// marks that close are there to be learnt.
/// </summary>
internal static class SimpleEnglish
{
    /// <summary>Goes up when the text changes.</summary>
    public const int Version = 1;

    private const int Length = 200_000;
    private const ulong Seed = 1;

    private static readonly Lazy<TextCorpus> Text = new(() => TextCorpus.Of(Write(), $"generated simple English, version {Version}"));

    private static readonly (string Name, string He, string Him, string His)[] People =
    [
        ("Anna", "she", "her", "her"), ("Ben", "he", "him", "his"), ("Clara", "she", "her", "her"), ("David", "he", "him", "his"),
        ("Emma", "she", "her", "her"), ("Felix", "he", "him", "his"), ("Grace", "she", "her", "her"), ("Henry", "he", "him", "his"),
        ("Ida", "she", "her", "her"), ("Jack", "he", "him", "his"), ("Kate", "she", "her", "her"), ("Leo", "he", "him", "his"),
        ("Maria", "she", "her", "her"), ("Noah", "he", "him", "his"), ("Olive", "she", "her", "her"), ("Peter", "he", "him", "his"),
        ("Ruth", "she", "her", "her"), ("Simon", "he", "him", "his"), ("Vera", "she", "her", "her"), ("Zack", "he", "him", "his"),
    ];

    private static readonly string[] Places =
    [
        "the garden", "the kitchen", "the old barn", "the market", "the river", "the school", "the wood", "the harbour", "the library",
        "the station", "the quiet street", "the hill", "the mill", "the village",
    ];

    private static readonly (string One, string Many)[] Things =
    [
        ("book", "books"), ("apple", "apples"), ("knife", "knives"), ("basket", "baskets"), ("lamp", "lamps"), ("letter", "letters"),
        ("key", "keys"), ("box", "boxes"), ("hat", "hats"), ("loaf", "loaves"), ("candle", "candles"), ("egg", "eggs"), ("map", "maps"),
        ("berry", "berries"), ("rope", "ropes"), ("cup", "cups"),
    ];

    private static readonly (string One, string Many)[] Animals =
    [
        ("dog", "dogs"), ("cat", "cats"), ("horse", "horses"), ("goose", "geese"), ("mouse", "mice"), ("fox", "foxes"), ("owl", "owls"),
        ("sheep", "sheep"), ("pony", "ponies"), ("hen", "hens"),
    ];

    private static readonly string[] Colours = ["red", "green", "blue", "yellow", "black", "white", "brown", "grey"];
    private static readonly string[] Qualities = ["small", "large", "old", "new", "heavy", "strange", "pretty", "broken", "quiet", "hungry"];
    private static readonly string[] Numbers = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    private static readonly string[] Days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    private static readonly string[] Times = ["in the morning", "at noon", "in the afternoon", "in the evening", "after the rain", "before dinner"];
    private static readonly string[] Weather = ["The sun was shining", "It was raining", "The wind was cold", "Snow was falling", "The sky was clear"];

    /// <summary>Present with "he", present otherwise, past; each takes a thing.</summary>
    private static readonly (string Does, string Do, string Did)[] Verbs =
    [
        ("carries", "carry", "carried"), ("finds", "find", "found"), ("hides", "hide", "hid"), ("buys", "buy", "bought"),
        ("draws", "draw", "drew"), ("washes", "wash", "washed"), ("keeps", "keep", "kept"), ("brings", "bring", "brought"),
        ("loses", "lose", "lost"), ("takes", "take", "took"), ("sells", "sell", "sold"), ("holds", "hold", "held"),
    ];

    private static readonly (string Does, string Do, string Did)[] Moves =
    [
        ("walks", "walk", "walked"), ("runs", "run", "ran"), ("goes", "go", "went"), ("comes", "come", "came"), ("hurries", "hurry", "hurried"),
        ("rides", "ride", "rode"),
    ];

    /// <summary>The text; made when it is first asked for.</summary>
    public static TextCorpus Corpus => Text.Value;

    private static string Write()
    {
        var text = new StringBuilder(Length + 1000);
        for (var story = 0; text.Length < Length; story++)
            new Story(new SampleRandom(SampleRandom.Stream("simple-english", Version), Seed, (ulong)story)).Write(text);
        return text.ToString();
    }

    private static string Capital(string sentence) => char.ToUpperInvariant(sentence[0]) + sentence[1..];

    /// <summary>A paragraph about two people.</summary>
    private sealed class Story
    {
        private readonly (string Name, string He, string Him, string His) _hero;
        private readonly (string Name, string He, string Him, string His) _friend;
        private readonly string _place;
        private readonly string _thing;
        private readonly string _animal;
        private SampleRandom _random;

        public Story(SampleRandom random)
        {
            _random = random;
            _hero = Pick(People);
            do
                _friend = Pick(People);
            while (_friend.Name == _hero.Name);
            _place = Pick(Places);
            _thing = $"{Pick(Colours)} {Pick(Things).One}";
            _animal = $"{Pick(Qualities)} {Pick(Animals).One}";
        }

        public void Write(StringBuilder text)
        {
            var sentences = new List<string> { Opening() };
            for (var count = 3 + _random.Below(5); count > 0; count--)
                sentences.Add(Middle());
            sentences.Add(Closing());
            text.AppendJoin(' ', sentences).Append('\n');
            if (_random.Below(3) == 0)
                text.Append('\n');
        }

        private string Opening() => _random.Below(3) switch
        {
            0 => $"On {Pick(Days)} {_hero.Name} {Pick(Moves).Did} to {_place} with {_hero.His} {_animal}.",
            1 => $"{Pick(Weather)} when {_hero.Name} and {_friend.Name} {Pick(Moves).Did} to {_place}.",
            _ => $"{_hero.Name} had {Article(_animal)} and {Article(_thing)}, and {_hero.He} lived near {_place}.",
        };

        private string Middle() => _random.Below(9) switch
        {
            0 => $"{Capital(Pick(Times))} {_hero.He} {Pick(Verbs).Did} the {_thing}.",
            1 => $"{_friend.Name} {Pick(Verbs).Did} {Pick(Numbers)} {Pick(Things).Many} and gave {_hero.Him} {Article(Pick(Things).One)}.",
            2 => $"The {_animal} {Pick(Moves).Did} behind {_hero.Him} to {_place}.",
            3 => Question(),
            4 => $"Every {Pick(Days)} {_friend.Name} {Pick(Verbs).Does} {Article($"{Pick(Qualities)} {Pick(Things).One}")} there.",
            5 => $"{Capital(Pick(Numbers))} {Pick(Qualities)} {Pick(Animals).Many} {(_random.Below(2) == 0 ? "were" : "sat")} near {_place}.",
            6 => $"\"I {Pick(Verbs).Do} the {_thing} because it is {Pick(Qualities)},\" {_hero.He} said to {_friend.Name}.",
            7 => $"But {_friend.Name} did not {Pick(Verbs).Do} it, so {_hero.Name} {Pick(Verbs).Did} it {Pick(Times)}.",
            _ => $"{Sum()}",
        };

        private string Question()
        {
            var thing = Pick(Things).Many;
            var count = Pick(Numbers);
            return $"\"How many {thing} do you have?\" asked {_friend.Name}. \"I have {count} {thing},\" {_hero.He} answered.";
        }

        private string Sum()
        {
            var (first, second) = (_random.Below(4), _random.Below(4));
            var thing = Pick(Things).Many;
            // Numbers begin at two: two and two are four, which is number 0 + 0 + 2.
            return $"{_hero.Name} had {Numbers[first]} {thing} and {_friend.Name} had {Numbers[second]}, so together they had " +
                $"{Numbers[first + second + 2]}.";
        }

        private string Closing() => _random.Below(3) switch
        {
            0 => $"Then {_hero.Name} and {_friend.Name} {Pick(Moves).Did} home, and the {_animal} slept.",
            1 => $"In the end {_hero.He} gave the {_thing} to {_friend.Name}, and {_friend.He} thanked {_hero.Him}.",
            _ => $"\"Good night, {_friend.Name},\" said {_hero.Name}, and {_friend.He} {Pick(Moves).Did} back to {Pick(Places)}.",
        };

        private static string Article(string noun) => $"{("aeiou".Contains(noun[0]) ? "an" : "a")} {noun}";

        private T Pick<T>(T[] choices) => choices[_random.Below(choices.Length)];
    }
}
