package import Base

/// Why a pattern cannot be used.
package enum PatternError: Failure, Hashable {
    case malformed(offset: Int, why: String)
    case tooLarge(states: Int, statesMax: Int)

    package var kind: FailureKind { .invalidInput }
    package var reason: String { "CONSTRAINT_INVALID" }
    package var message: String {
        switch self {
        case .malformed(let offset, let why): "the pattern cannot be read at \(offset): \(why)"
        case .tooLarge(let states, let max):
            "the pattern has \(states) states or more; \(max) are allowed"
        }
    }
}

/// A regular expression that answers must match as a whole, in the common part of RE2's syntax:
/// literals, `.`, classes, `\d \w \s` and their negations, groups, `|`, `* + ?` and `{m,n}`.
///
/// All states are followed at once (Thompson, Regular Expression Search Algorithm, 1968), so that
/// time is bounded by states times letters whatever the pattern.
package struct AnswerPattern: Sendable {
    /// Longest pattern, in bytes, and most states it may become.
    package static let bytesMax = 1_000
    static let statesMax = 2_000

    enum State: Sendable {
        case one(CharacterSetTest, next: Int)
        case fork(Int, Int)
        case accept
    }

    private let states: [State]
    private let start: Int

    /// Compiles a pattern.
    package init(_ source: String) throws(PatternError) {
        guard source.utf8.count <= Self.bytesMax else {
            throw .malformed(
                offset: Self.bytesMax,
                why: "it has \(source.utf8.count) bytes; \(Self.bytesMax) are allowed")
        }
        var parser = AnswerPatternParser(source)
        let tree = try parser.parse()
        var builder = Builder()
        let accept = try builder.add(.accept)
        start = try builder.compile(tree, then: accept)
        states = builder.states
    }

    /// Whether the whole text matches.
    package func matches(_ text: String) -> Bool {
        var current = Set<Int>()
        follow(start, &current)
        for scalar in text.unicodeScalars {
            var next = Set<Int>()
            for state in current {
                if case .one(let test, let target) = states[state], test.contains(scalar) {
                    follow(target, &next)
                }
            }
            if next.isEmpty { return false }
            current = next
        }
        return current.contains { if case .accept = states[$0] { true } else { false } }
    }

    private func follow(_ state: Int, _ found: inout Set<Int>) {
        var waiting = [state]
        while let state = waiting.popLast() {
            guard found.insert(state).inserted else { continue }
            if case .fork(let first, let second) = states[state] { waiting += [first, second] }
        }
    }

    private struct Builder {
        var states: [State] = []
        /// Parts compiled so far: a repeat of nothing adds no states, but takes its time.
        private var parts = 0

        private static let partsMax = 10 * statesMax

        mutating func add(_ state: State) throws(PatternError) -> Int {
            guard states.count < statesMax else {
                throw .tooLarge(states: states.count, statesMax: statesMax)
            }
            states.append(state)
            return states.count - 1
        }

        /// - Returns: the state in which matching `tree` begins
        mutating func compile(
            _ tree: PatternTree, then next: Int
        ) throws(PatternError) -> Int {
            parts += 1
            guard parts <= Self.partsMax else {
                throw .tooLarge(states: parts, statesMax: Self.partsMax)
            }
            switch tree {
            case .one(let test): return try add(.one(test, next: next))
            case .sequence(let parts):
                var next = next
                for part in parts.reversed() { next = try compile(part, then: next) }
                return next
            case .choice(let options):
                var entry = try compile(options[options.count - 1], then: next)
                for option in options.dropLast().reversed() {
                    entry = try add(.fork(try compile(option, then: next), entry))
                }
                return entry
            case .repeated(let part, let low, let high):
                return try compile(part, low, high, then: next)
            }
        }

        private mutating func compile(
            _ part: PatternTree, _ low: Int, _ high: Int?, then next: Int
        ) throws(PatternError) -> Int {
            var entry = next
            if let high {
                for _ in low..<max(low, high) {
                    entry = try add(.fork(try compile(part, then: entry), next))
                }
            } else {
                let loop = try add(.fork(next, next))
                states[loop] = .fork(try compile(part, then: loop), next)
                entry = loop
            }
            for _ in 0..<low { entry = try compile(part, then: entry) }
            return entry
        }
    }
}

/// Which letters one place of a pattern takes.
struct CharacterSetTest: Sendable {
    var ranges: [ClosedRange<UInt32>]
    var isNegated = false

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        ranges.contains { $0.contains(scalar.value) } != isNegated
    }
}

/// A pattern as read.
indirect enum PatternTree: Sendable {
    case one(CharacterSetTest)
    case sequence([PatternTree])
    case choice([PatternTree])
    case repeated(PatternTree, low: Int, high: Int?)
}
