/// The stemmer of Porter (An algorithm for suffix stripping, 1980) with the changes that NLTK
/// makes by default, which ROUGE scores are published with. For lower-case ASCII.
enum PorterStemmer {
    private typealias Word = [UInt8]

    /// Words whose stem no rule finds.
    private static let irregular: [String: String] = [
        "sky": "sky", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie",
        "news": "news", "innings": "inning", "inning": "inning", "outings": "outing",
        "outing": "outing", "cannings": "canning", "canning": "canning", "howe": "howe",
        "proceed": "proceed", "exceed": "exceed", "succeed": "succeed",
    ]

    /// The stem of a word.
    static func stem(_ word: String) -> String {
        if let known = irregular[word] { return known }
        guard word.utf8.count > 2 else { return word }
        var stem = Array(word.utf8)
        for step in [plural, past, finalY, suffixes2, suffixes3, suffixes4, finalE, finalL] {
            stem = step(stem)
        }
        return String(decoding: stem, as: UTF8.self)
    }

    /// Step 1a.
    private static func plural(_ word: Word) -> Word {
        if word.count == 4, ends(word, "ies") { return word.less(1) }
        return replaced(word, [("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")]) { _ in true }
    }

    /// Step 1b.
    private static func past(_ word: Word) -> Word {
        if ends(word, "ied") { return word.less(word.count == 4 ? 1 : 2) }
        if ends(word, "eed") { return measure(word.less(3)) > 0 ? word.less(1) : word }
        let endings = [("ed", 2), ("ing", 3)]
        guard
            let count = endings.first(where: {
                ends(word, $0.0) && consonants(word.less($0.1)).contains(false)
            })?.1
        else { return word }
        let stem = word.less(count)
        for ending in ["at", "bl", "iz"] where ends(stem, ending) { return stem + "e".utf8 }
        if let last = stem.last, stem.count >= 2, stem[stem.count - 2] == last,
            consonants(stem).last == true
        {
            return "lsz".utf8.contains(last) ? stem : stem.less(1)
        }
        return measure(stem) == 1 && endsShort(stem) ? stem + "e".utf8 : stem
    }

    /// Step 1c.
    private static func finalY(_ word: Word) -> Word {
        let stem = word.less(1)
        guard ends(word, "y"), stem.count > 1, consonants(stem).last == true else { return word }
        return stem + "i".utf8
    }

    private static func suffixes2(_ word: Word) -> Word {
        if ends(word, "alli"), measure(word.less(4)) > 0 {
            return suffixes2(word.less(2))
        }
        // The l of "logi" counts with the stem, so that short stems such as "geo" do.
        if ends(word, "logi") { return measure(word.less(3)) > 0 ? word.less(1) : word }
        return replaced(
            word,
            [
                ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"),
                ("izer", "ize"), ("bli", "ble"), ("alli", "al"), ("entli", "ent"), ("eli", "e"),
                ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"), ("ator", "ate"),
                ("alism", "al"), ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"),
                ("aliti", "al"), ("iviti", "ive"), ("biliti", "ble"), ("fulli", "ful"),
            ]
        ) { measure($0) > 0 }
    }

    private static func suffixes3(_ word: Word) -> Word {
        replaced(
            word,
            [
                ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"),
                ("ful", ""), ("ness", ""),
            ]
        ) { measure($0) > 0 }
    }

    private static func suffixes4(_ word: Word) -> Word {
        let plain = [
            "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent",
        ]
        if !plain.contains(where: { ends(word, $0) }), ends(word, "ion") {
            let stem = word.less(3)
            let fits = stem.last.map { "st".utf8.contains($0) } ?? false
            return fits && measure(stem) > 1 ? Word(stem) : word
        }
        let others = ["ou", "ism", "ate", "iti", "ous", "ive", "ize"]
        return replaced(word, (plain + others).map { ($0, "") }) { measure($0) > 1 }
    }

    /// Step 5a.
    private static func finalE(_ word: Word) -> Word {
        guard ends(word, "e") else { return word }
        let stem = word.less(1)
        let size = measure(stem)
        return size > 1 || (size == 1 && !endsShort(stem)) ? stem : word
    }

    /// Step 5b.
    private static func finalL(_ word: Word) -> Word {
        ends(word, "ll") && measure(word.less(1)) > 1 ? word.less(1) : word
    }

    private static func ends(_ word: Word, _ suffix: String) -> Bool {
        word.count >= suffix.utf8.count && word.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
    }

    /// The first rule whose suffix fits decides, whether or not its condition holds.
    private static func replaced(
        _ word: Word, _ rules: [(suffix: String, by: String)], where holds: (Word) -> Bool
    ) -> Word {
        guard let rule = rules.first(where: { ends(word, $0.suffix) }) else { return word }
        let stem = word.less(rule.suffix.utf8.count)
        return holds(stem) ? stem + rule.by.utf8 : word
    }

    /// Which letters are consonants; y is one where no consonant stands before it.
    private static func consonants(_ word: some Sequence<UInt8>) -> [Bool] {
        var flags: [Bool] = []
        for letter in word {
            let isY = letter == UInt8(ascii: "y")
            flags.append(isY ? !(flags.last ?? false) : !"aeiou".utf8.contains(letter))
        }
        return flags
    }

    /// How often a consonant follows a vowel.
    private static func measure(_ word: some Sequence<UInt8>) -> Int {
        let flags = consonants(word)
        return zip(flags, flags.dropFirst()).count { !$0 && $1 }
    }

    /// Consonant, vowel and a consonant other than w, x and y at the end; or just the last two.
    private static func endsShort(_ word: Word) -> Bool {
        let flags = consonants(word)
        if flags.count == 2 { return !flags[0] && flags[1] }
        guard flags.count >= 3, let last = word.last else { return false }
        return Array(flags.suffix(3)) == [true, false, true] && !"wxy".utf8.contains(last)
    }
}

extension [UInt8] {
    /// Without the last letters.
    fileprivate func less(_ count: Int) -> [UInt8] { Array(dropLast(count)) }
}
