package import Base

/// Why a command line, a variable or a configuration file is refused. Each message is one line that
/// names the thing, what is allowed, and what to do.
package enum UsageError: Failure, Hashable {
    case unknownVerb(String, nearest: String?)
    case unknownOption(String, verb: String, nearest: String?)
    case unknownVariable(String, nearest: String?)
    case unknownKey(String, file: String, nearest: String?)
    case missingValue(option: String, placeholder: String)
    case givenTwice(source: SettingSource)
    case badValue(source: SettingSource, seen: String, allowed: String)
    case unexpectedArgument(String, verb: String, allowed: String)
    case missing(option: String, why: String)
    case conflict(String)
    case unreadable(what: String, path: String, why: String)
    case malformed(what: String, path: String, why: String)

    package var kind: FailureKind { .invalidInput }
    package var reason: String { "BAD_USAGE" }

    package var message: String {
        switch self {
        case .unknownVerb(let verb, let nearest):
            "'\(verb)' is not a verb\(hint(nearest)); --help lists the verbs"
        case .unknownOption(let option, let verb, let nearest):
            "'\(option)' is not an option of \(verb)\(hint(nearest)); \(verb) --help lists them"
        case .unknownVariable(let name, let nearest):
            "the environment variable '\(name)' is not known\(hint(nearest));"
                + " unset it or correct its name (serve --help lists them)"
        case .unknownKey(let key, let file, let nearest):
            "'\(key)' in '\(file)' is not a configuration key\(hint(nearest));"
                + " serve --help lists them"
        case .missingValue(let option, let placeholder):
            "'\(option)' needs a value: \(option) \(placeholder)"
        case .givenTwice(let source):
            "\(source) is given twice; give it once"
        case .badValue(let source, let seen, let allowed):
            "\(source) is '\(seen)'; \(allowed)"
        case .unexpectedArgument(let text, let verb, let allowed):
            "\(verb) does not take '\(text)'; \(allowed)"
        case .missing(let option, let why):
            "'\(option)' is missing: \(why)"
        case .conflict(let text): text
        case .unreadable(let what, let path, let why):
            "cannot read \(what) '\(path)' (\(why)); check the path and its permissions"
        case .malformed(let what, let path, let why):
            "\(what) '\(path)' cannot be used: \(why)"
        }
    }

    private func hint(_ nearest: String?) -> String {
        nearest.map { " (did you mean '\($0)'?)" } ?? ""
    }
}

/// Where a setting came from, named as the person who gave it wrote it.
package enum SettingSource: Sendable, Hashable, CustomStringConvertible {
    case flag(String)
    case variable(String)
    case key(String, file: String)
    case standard(String)

    package var description: String {
        switch self {
        case .flag(let name): "'\(name)'"
        case .variable(let name): "the variable \(name)"
        case .key(let key, let file): "'\(key)' in '\(file)'"
        case .standard(let name): "the default of '\(name)'"
        }
    }
}

/// Finds the word that somebody probably meant.
enum Suggestion {
    /// The candidate with the fewest changed, missing, extra or swapped letters, if those are few.
    static func nearest(to word: String, among candidates: [String]) -> String? {
        let letters = Array(word.utf8)
        let allowed = max(1, letters.count / 3)
        let ranked = candidates.map { (distance(letters, Array($0.utf8)), $0) }
            .filter { $0.0 <= allowed }
        return ranked.min { $0 < $1 }?.1
    }

    /// The optimal string alignment distance.
    static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        guard a.count <= 64, b.count <= 64 else { return .max }
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in a.indices {
            var row = [i + 1]
            for j in b.indices {
                var best = min(row[j], last[j + 1]) + 1
                best = min(best, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    best = min(best, beforeLast[j - 1] + 1)
                }
                row.append(best)
            }
            (beforeLast, last) = (last, row)
        }
        return last[b.count]
    }
}
