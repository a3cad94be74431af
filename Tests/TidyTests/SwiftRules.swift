/// A Swift file and what the rules know of its grammar.
struct SwiftSource: Sendable {
    let file: SourceFile
    let outline: SwiftOutline
    let documentedLines: Set<Int>
    let commentedLines: Set<Int>

    init(_ file: SourceFile) {
        let lexer = Lexer(file)
        self.file = file
        outline = SwiftOutline(lexer.tokens)
        documentedLines = lexer.documentedLines
        commentedLines = lexer.commentedLines
    }

    /// The hand-written Swift files of the repository.
    static let all = Repository.files
        .filter { $0.kind == .swift && $0.isHandWrittenCode }.map { SwiftSource($0) }
}

/// Rules that look at one Swift file at a time.
enum SwiftRules {
    /// No `try!`, `as!`, `fatalError`: what the world sends must not trap.
    static func traps(_ source: SwiftSource) -> [Finding] {
        let tokens = source.outline.tokens
        return tokens.indices.dropLast().compactMap { index in
            let (word, next) = (tokens[index], tokens[index + 1])
            let isForced =
                (word.text == "try" || word.text == "as") && next.text == "!"
                && next.touchesPrevious
            guard isForced || (word.text == "fatalError" && next.text == "(") else { return nil }
            return source.file.finding(
                word.line, "\(word.text)\(next.text) is banned: throw, or use precondition")
        }
    }

    /// `@unchecked Sendable` and `nonisolated(unsafe)` have a comment that says why they hold.
    static func unexplainedPromises(_ source: SwiftSource) -> [Finding] {
        let tokens = source.outline.tokens
        return tokens.indices.compactMap { index in
            let word = tokens[index]
            let before = index > 1 ? tokens[index - 1].text + tokens[index - 2].text : ""
            let isPromise =
                (word.text == "unchecked" && before.hasPrefix("@"))
                || (word.text == "unsafe" && before == "(nonisolated")
            let isExplained = (word.line - 3...word.line + 2)
                .contains { source.commentedLines.contains($0) }
            guard isPromise, !isExplained else { return nil }
            return source.file.finding(word.line, "\(word.text) needs a comment: why does it hold?")
        }
    }

    static func longFunctions(_ source: SwiftSource) -> [Finding] {
        let keywords: Set = ["func", "init", "deinit", "subscript", "var"]
        return source.outline.declarations.compactMap { declaration in
            guard keywords.contains(declaration.keyword), let last = declaration.lastLine else {
                return nil
            }
            let count = last - declaration.line + 1
            guard count > Layout.functionLinesMax else { return nil }
            return source.file.finding(
                declaration.line,
                "\(declaration.name) has \(count) lines; at most \(Layout.functionLinesMax)")
        }
    }

    static func longParameterLists(_ source: SwiftSource) -> [Finding] {
        source.outline.declarations.compactMap { declaration in
            let count = declaration.parameters.count
            guard declaration.keyword == "func", count > Layout.parametersMax,
                !Layout.givenSignatures.contains(declaration.name)
            else { return nil }
            return source.file.finding(
                declaration.line,
                "\(declaration.name) takes \(count) parameters; at most \(Layout.parametersMax)")
        }
    }

    /// No names that could stand on anything.
    static func emptyNames(_ source: SwiftSource) -> [Finding] {
        source.outline.declarations.compactMap { declaration in
            guard let word = emptyWord(in: declaration) else { return nil }
            return source.file.finding(
                declaration.line, "\(declaration.name): '\(word)' says nothing; name what it does")
        }
    }

    private static func emptyWord(in declaration: SwiftOutline.Declaration) -> String? {
        var name = declaration.name
        for given in Layout.givenNames { name = name.replacing(given, with: "") }
        let words = words(of: name)
        switch declaration.keyword {
        case "struct", "class", "enum", "actor", "protocol", "typealias":
            return words.first { Layout.emptyNouns.contains($0) }
        case "func":
            if let verb = words.first, Layout.emptyVerbs.contains(verb) { return verb }
            // `data` and `info` are fine as verbs' objects and log levels.
            return words.first {
                Layout.emptyNouns.subtracting(["Data", "Info"]).contains($0.capitalized)
            }
        default: return nil
        }
    }

    /// The words of a camel-case name, such as `HTTP`, `Session`, `Data`.
    static func words(of name: String) -> [String] {
        var words: [String] = []
        let letters = Array(name)
        for (index, letter) in letters.enumerated() {
            let isAfterLower = index > 0 && !letters[index - 1].isUppercase
            let isBeforeLower = index + 1 < letters.count && letters[index + 1].isLowercase
            if words.isEmpty || (letter.isUppercase && (isAfterLower || isBeforeLower)) {
                words.append("")
            }
            words[words.count - 1].append(letter)
        }
        return words
    }
}

extension String {
    fileprivate var capitalized: String { prefix(1).uppercased() + dropFirst() }
}
