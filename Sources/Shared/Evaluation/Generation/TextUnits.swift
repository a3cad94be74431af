/// Texts as metrics see them: Unicode scalars, blanks as Python's `str.split` knows them, and
/// words with numbers for names.
enum TextUnits {
    /// Longer texts are cut, so that no answer costs more than this.
    static let scalarsMax = 32_768

    /// The scalars of a text, cut at `scalarsMax`.
    static func scalars(_ text: String) -> [Unicode.Scalar] {
        Array(text.unicodeScalars.prefix(scalarsMax))
    }

    /// White space for Python: White_Space and the four separators of ASCII.
    static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0d, 0x1c...0x20, 0x85, 0xa0: true
        case ..<0x1680: false
        default: scalar.properties.isWhitespace
        }
    }

    /// The parts between blanks.
    static func words(_ scalars: [Unicode.Scalar]) -> [ArraySlice<Unicode.Scalar>] {
        scalars.split(whereSeparator: isBlank)
    }

    /// Whether a scalar is punctuation of ASCII.
    static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e: true
        default: false
        }
    }

    /// The lower-case form, scalar by scalar.
    static func lowercased(_ scalars: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        result.reserveCapacity(scalars.count)
        for scalar in scalars {
            if scalar.value < 0x80 {
                let isUpper = (0x41...0x5a).contains(scalar.value)
                result.append(isUpper ? Unicode.Scalar(UInt8(scalar.value + 32)) : scalar)
            } else {
                result += scalar.properties.lowercaseMapping.unicodeScalars
            }
        }
        return result
    }
}

/// Gives equal words equal numbers, from 1.
struct WordNumbers {
    private var numbers: [[Unicode.Scalar]: Int32] = [:]

    mutating func callAsFunction(_ words: [some Sequence<Unicode.Scalar>]) -> [Int32] {
        words.map { word in
            let key = Array(word)
            if let number = numbers[key] { return number }
            let number = Int32(numbers.count + 1)
            numbers[key] = number
            return number
        }
    }
}

/// How often each run of n numbers occurs.
struct RunCounts {
    private(set) var counts: [SIMD8<Int32>: Int] = [:]
    private(set) var total = 0

    /// Numbers must be above 0; length at most 8.
    init(_ numbers: [Int32], length: Int) {
        guard numbers.count >= length else { return }
        total = numbers.count - length + 1
        for start in 0..<total {
            var run = SIMD8<Int32>()
            for offset in 0..<length { run[offset] = numbers[start + offset] }
            counts[run, default: 0] += 1
        }
    }

    /// Takes the larger count of each run.
    mutating func formUnion(_ other: RunCounts) {
        counts.merge(other.counts) { max($0, $1) }
    }

    /// How many of these runs the other has too, each as often as both do.
    func matches(_ other: RunCounts) -> Int {
        counts.reduce(0) { $0 + min($1.value, other.counts[$1.key] ?? 0) }
    }
}
