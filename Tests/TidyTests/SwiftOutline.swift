/// The declarations of a Swift file and the scopes they stand in: as much of the grammar as the
/// rules ask about.
struct SwiftOutline {
    /// A type, an extension, or any other pair of braces.
    struct Scope {
        /// `struct`, `extension`, ...; empty for the braces of functions and closures.
        let keyword: String
        let name: String
        /// The words after the colon: what it inherits and conforms to.
        let conformances: [String]
        /// Index into `declarations` of what these braces belong to.
        let declaration: Int?
    }

    struct Declaration {
        /// `func`, `var`, `struct`, ...
        let keyword: String
        let name: String
        /// `package`, `public`, `open`; nil for what only its own module sees.
        let visibility: String?
        /// The line of its first modifier or attribute.
        let firstLine: Int
        /// The line of its keyword.
        let line: Int
        /// The line of the brace that closes its body, where it has one.
        var lastLine: Int?
        /// Index into `scopes`; nil at the top of the file.
        let scope: Int?
        /// The names of its parameters inside its body.
        let parameters: [String]
    }

    private(set) var scopes: [Scope] = []
    private(set) var declarations: [Declaration] = []
    let tokens: [Token]

    private static let types: Set = ["struct", "class", "enum", "actor", "protocol", "extension"]
    private static let members: Set = ["func", "var", "let", "init", "deinit", "subscript"]
    private static let modifiers: Set = [
        "package", "public", "open", "internal", "private", "fileprivate", "static", "final",
        "override", "mutating", "nonmutating", "consuming", "borrowing", "lazy", "weak", "unowned",
        "nonisolated", "isolated", "indirect", "required", "convenience", "distributed", "dynamic",
        "prefix", "postfix", "infix", "async", "class",
    ]

    init(_ tokens: [Token]) {
        self.tokens = tokens
        read()
    }

    private mutating func read() {
        var openScopes: [Int] = []
        // By the index of the token that opens its braces.
        var scopeAt: [Int: Scope] = [:]
        for index in tokens.indices {
            switch tokens[index].text {
            case "{":
                scopes.append(
                    scopeAt[index]
                        ?? Scope(keyword: "", name: "", conformances: [], declaration: nil))
                openScopes.append(scopes.count - 1)
            case "}":
                if let closed = openScopes.popLast(), let declaration = scopes[closed].declaration {
                    declarations[declaration].lastLine = tokens[index].line
                }
            default:
                guard let declaration = declaration(at: index, in: openScopes.last) else {
                    continue
                }
                declarations.append(declaration)
                if let brace = openingBrace(of: declaration.keyword, at: index) {
                    scopeAt[brace] = scope(ofLastDeclarationAt: index, to: brace)
                }
            }
        }
    }

    private func text(_ index: Int) -> String {
        tokens.indices.contains(index) ? tokens[index].text : ""
    }

    private func declaration(at index: Int, in scope: Int?) -> Declaration? {
        let keyword = text(index)
        let isType = Self.types.contains(keyword) || keyword == "typealias"
        guard isType || Self.members.contains(keyword), isDeclaration(index) else { return nil }
        let (first, visibility) = modifiers(before: index)
        return Declaration(
            keyword: keyword, name: name(at: index), visibility: visibility,
            firstLine: tokens[first].line, line: tokens[index].line, lastLine: nil, scope: scope,
            parameters: parameters(of: keyword, at: index))
    }

    /// Whether the keyword at `index` declares something, rather than being a member or a label.
    private func isDeclaration(_ index: Int) -> Bool {
        let before = text(index - 1)
        guard before != ".", before != "`", before != "import", text(index + 1) != ":" else {
            return false
        }
        switch text(index) {
        case "actor": return text(index + 1).first?.isUppercase == true
        case "class": return !Self.members.contains(text(index + 1))
        case "init": return ["(", "<", "?", "!"].contains(text(index + 1))
        case "subscript": return ["(", "<"].contains(text(index + 1))
        default: return true
        }
    }

    /// The index of the first modifier or attribute before a keyword, and the visibility it gives.
    private func modifiers(before index: Int) -> (first: Int, visibility: String?) {
        var first = index
        var visibility: String?
        while first > 0 {
            var word = first - 1
            if text(word) == ")" { word = opening(of: word) - 1 }
            if text(word - 1) == "@" {
                first = word - 1
            } else if Self.modifiers.contains(text(word)) {
                // `package(set)` speaks of the setter alone.
                let isWhole = word == first - 1
                if isWhole, ["package", "public", "open"].contains(text(word)) {
                    visibility = text(word)
                }
                first = word
            } else {
                break
            }
        }
        return (first, visibility)
    }

    /// The index of the parenthesis that the one at `index` closes.
    private func opening(of index: Int) -> Int {
        var depth = 0
        var index = index
        repeat {
            depth += text(index) == ")" ? 1 : text(index) == "(" ? -1 : 0
            index -= 1
        } while depth > 0 && index >= 0
        return index + 1
    }

    private func name(at index: Int) -> String {
        let keyword = text(index)
        guard keyword != "init", keyword != "deinit", keyword != "subscript" else { return keyword }
        var end = index + 1
        if keyword == "extension" {
            while text(end + 1) == "." { end += 2 }
        } else if text(end) == "`" {
            return text(end + 1)
        } else if keyword == "func", Self.isOperator(text(end)) {
            // `==` is two tokens; the `<` of generic parameters stands apart.
            while Self.isOperator(text(end + 1)), tokens[end + 1].touchesPrevious { end += 1 }
        }
        guard end < tokens.count else { return "" }
        return tokens[(index + 1)...end].map(\.text).joined()
    }

    private static func isOperator(_ text: String) -> Bool {
        text.count == 1 && text.allSatisfy("=<>!+-*/%&|^~?".contains)
    }

    private func parameters(of keyword: String, at index: Int) -> [String] {
        guard keyword == "func" || keyword == "init" || keyword == "subscript" else { return [] }
        var position = index
        while position < tokens.count, text(position) != "(" {
            if text(position) == "{" { return [] }
            position += 1
        }
        var depth = 0
        var names: [String] = []
        repeat {
            switch text(position) {
            case "(", "[", "{": depth += 1
            case ")", "]", "}": depth -= 1
            case ":" where depth == 1 && text(position - 2) != "?": names.append(text(position - 1))
            default: break
            }
            position += 1
        } while depth > 0 && position < tokens.count
        return names
    }

    /// The brace that opens the body of the declaration at `index`; nil where it has none.
    private func openingBrace(of keyword: String, at index: Int) -> Int? {
        guard keyword != "typealias" else { return nil }
        let isVariable = keyword == "var" || keyword == "let"
        var depth = 0
        for position in (index + 1)..<max(index + 1, tokens.count) {
            let token = tokens[position]
            switch token.text {
            case "{" where depth == 0: return position
            case "(", "[", "{": depth += 1
            case ")", "]", "}":
                depth -= 1
                if depth < 0 { return nil }
            case "=" where depth == 0 && isVariable: return nil
            default:
                if depth == 0, token.startsLine, endsSignature(position, isVariable) { return nil }
            }
        }
        return nil
    }

    /// Whether the token at the start of a line cannot belong to the declaration before it.
    private func endsSignature(_ position: Int, _ isVariable: Bool) -> Bool {
        let word = text(position)
        return isVariable || word == "@" || word == "#" || word == "case" || word == "typealias"
            || word == "associatedtype" || Self.types.contains(word) || Self.members.contains(word)
            || (Self.modifiers.contains(word) && word != "async")
    }

    private func scope(ofLastDeclarationAt index: Int, to brace: Int) -> Scope {
        let declaration = declarations[declarations.count - 1]
        let isType = Self.types.contains(declaration.keyword)
        return Scope(
            keyword: isType ? declaration.keyword : "", name: declaration.name,
            conformances: isType ? conformances(from: index, to: brace) : [],
            declaration: declarations.count - 1)
    }

    /// The words between the colon of a type and its `where` or brace.
    private func conformances(from index: Int, to brace: Int) -> [String] {
        var conformances: [String] = []
        var angles = 0
        var isAfterColon = false
        for position in (index + 1)..<brace {
            switch text(position) {
            case "<": angles += 1
            case ">": angles -= 1
            case ":" where angles == 0: isAfterColon = true
            case "where" where angles == 0: return conformances
            case let word where isAfterColon && angles == 0 && word.first?.isLetter == true:
                conformances.append(word)
            default: break
            }
        }
        return conformances
    }
}
