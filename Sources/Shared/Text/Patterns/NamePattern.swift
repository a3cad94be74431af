/// A regular expression that names of modules match as a whole, as with Python's `re.fullmatch`.
///
/// Patterns come from files and clients: a match may take only so many steps, and what is not
/// supported (references back, look-behind) is an error, never a different meaning.
package struct NamePattern: Sendable {
    /// As it was written.
    package let source: String
    private let pattern: Pattern

    /// Why a pattern cannot be used.
    package enum Fault: Error, Hashable {
        /// At an offset in characters.
        case malformed(at: Int, why: String)
        /// Matching went back and forth for more steps than allowed.
        case tooSlow(stepsMax: Int)
    }

    package init(_ source: String) throws(Fault) {
        self.source = source
        do throws(TokenizerError) { pattern = try Pattern(source, matchesAll: true) } catch {
            throw Fault(error)
        }
    }

    /// Whether all of `name` matches; an empty name never does.
    package func matches(_ name: String) throws(Fault) -> Bool {
        try Array(name.utf8).withUnsafeBufferPointer { (text) throws(Fault) in
            guard !text.isEmpty else { return false }
            var scratch = MatchScratch()
            scratch.start(textBytes: text.count)
            do throws(TokenizerError) {
                return try pattern.matchEnd(in: text, at: 0, &scratch) != nil
            } catch {
                throw Fault(error)
            }
        }
    }
}

extension NamePattern.Fault {
    fileprivate init(_ error: TokenizerError) {
        switch error {
        case .badPattern(_, let offset, let why): self = .malformed(at: offset, why: why)
        case .patternTooSlow(_, let stepsMax): self = .tooSlow(stepsMax: stepsMax)
        default: self = .malformed(at: 0, why: error.message)
        }
    }
}
