/// The tokenizer of mteval-v13a, which WMT and sacrebleu use: punctuation stands alone, full stops
/// and commas stay within numbers.
enum Tokens13a {
    /// The tokens of a text.
    static func tokens(_ text: String) -> [[Unicode.Scalar]] {
        var scalars = TextUnits.scalars(text)
        while let last = scalars.last, TextUnits.isBlank(last) { scalars.removeLast() }
        scalars = replacing(scalars, "<skipped>", with: "")
        scalars = replacing(scalars, "-\n", with: "")
        scalars = replacing(scalars, "\n", with: " ")
        for (entity, character) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")]
        {
            scalars = replacing(scalars, entity, with: character)
        }
        scalars = ["\u{20}"] + scalars + ["\u{20}"]
        scalars = pairs(scalars.flatMap { stands($0) ? [" ", $0, " "] : [$0] }) {
            !isDigit($0) && isPoint($1) ? [$0, " ", $1, " "] : nil
        }
        scalars = pairs(scalars) { isPoint($0) && !isDigit($1) ? [" ", $0, " ", $1] : nil }
        scalars = pairs(scalars) { isDigit($0) && $1 == "-" ? [$0, " ", $1, " "] : nil }
        return TextUnits.words(scalars).map { Array($0) }
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
        (0x30...0x39).contains(scalar.value)
    }

    private static func isPoint(_ scalar: Unicode.Scalar) -> Bool { scalar == "." || scalar == "," }

    /// ASCII punctuation other than apostrophe, comma, hyphen and full stop; the blank too, which
    /// makes no difference.
    private static func stands(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x7b...0x7e, 0x5b...0x60, 0x20...0x26, 0x28...0x2b, 0x3a...0x40, 0x2f: true
        default: false
        }
    }

    /// Replaces neighbours from left to right; what was replaced is not looked at again.
    private static func pairs(
        _ scalars: [Unicode.Scalar],
        _ replacement: (Unicode.Scalar, Unicode.Scalar) -> [Unicode.Scalar]?
    ) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        result.reserveCapacity(scalars.count * 2)
        var index = 0
        while index < scalars.count {
            if index + 1 < scalars.count,
                let found = replacement(scalars[index], scalars[index + 1])
            {
                result += found
                index += 2
            } else {
                result.append(scalars[index])
                index += 1
            }
        }
        return result
    }

    private static func replacing(
        _ scalars: [Unicode.Scalar], _ old: String, with new: String
    ) -> [Unicode.Scalar] {
        let (old, new) = (Array(old.unicodeScalars), Array(new.unicodeScalars))
        guard let first = old.first, scalars.contains(first) else { return scalars }
        var result: [Unicode.Scalar] = []
        result.reserveCapacity(scalars.count)
        var index = 0
        while index < scalars.count {
            if scalars[index] == first, scalars[index...].starts(with: old) {
                result += new
                index += old.count
            } else {
                result.append(scalars[index])
                index += 1
            }
        }
        return result
    }
}
