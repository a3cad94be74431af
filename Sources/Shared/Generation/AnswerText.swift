package import Text

/// Turns the tokens of an answer into its text as they come: never half a character, and nothing
/// of a stop text.
package struct AnswerText: Sendable {
    private var decoder: StreamDecoder
    private let stops: [[UInt8]]
    /// Whole characters that may be the beginning of a stop text.
    private var held: [UInt8] = []
    /// Whether a stop text has come. Nothing follows it.
    package private(set) var isStopped = false

    /// - Parameter stops: none of them empty
    package init(_ tokenizer: Tokenizer, stops: [String] = []) {
        precondition(stops.allSatisfy { !$0.isEmpty }, "answer text: an empty stop text")
        decoder = StreamDecoder(tokenizer, skippingSpecial: true)
        self.stops = stops.map { Array($0.utf8) }
    }

    /// Takes a token; gives the text that is certain now.
    package mutating func push(_ id: Int32) -> String { append(decoder.push(id)) }

    /// Takes the end; gives what was held back.
    package mutating func finish() -> String {
        let last = append(decoder.finish())
        defer { held = [] }
        return isStopped ? last : last + String(decoding: held, as: UTF8.self)
    }

    private mutating func append(_ piece: String) -> String {
        guard !isStopped else { return "" }
        held += piece.utf8
        if let start = stops.compactMap(held.firstPlace(of:)).min() {
            isStopped = true
            defer { held = [] }
            return String(decoding: held[..<start], as: UTF8.self)
        }
        // Stop texts begin with a whole character, so that a cut before one splits none.
        let kept = stops.map(held.overlap(with:)).max() ?? 0
        defer { held.removeFirst(held.count - kept) }
        return String(decoding: held.dropLast(kept), as: UTF8.self)
    }
}

extension [UInt8] {
    /// Where a string first begins; nil if it is not there.
    fileprivate func firstPlace(of string: [UInt8]) -> Int? {
        guard count >= string.count else { return nil }
        return (0...count - string.count).first { self[$0...].starts(with: string) }
    }

    /// How many bytes at the end are the beginning of a string, but not all of it.
    fileprivate func overlap(with string: [UInt8]) -> Int {
        let most = Swift.min(count, string.count - 1)
        return (0...most).reversed().first { string.starts(with: suffix($0)) } ?? 0
    }
}
