/// A target imports only what the graph of `Layout.imports` allows.
enum ImportRule {
    static func findings(_ source: SwiftSource) -> [Finding] {
        guard let target = target(of: source.file.path) else { return [] }
        guard let allowed = allowed(for: target) else {
            return [source.file.finding(1, "target \(target) is not in Layout.imports")]
        }
        return imports(of: source).filter { !allowed.contains($0.module) }.map {
            source.file.finding($0.line, "\(target) may not import \($0.module)")
        }
    }

    /// The target that a file belongs to; nil for a file of none.
    static func target(of path: String) -> String? {
        let parts = path.split(separator: "/").map(String.init)
        switch parts.first {
        case "Sources" where parts.count > 3 && parts[1] == "Shared": return parts[2]
        case "Sources" where parts.count > 2: return parts[1]
        case "Tests" where parts.count > 2: return parts[1]
        default: return nil
        }
    }

    /// What a target may import. A test target may import what it tests, and what that may import.
    private static func allowed(for target: String) -> Set<String>? {
        if let allowed = Layout.imports[target] { return allowed.union(Layout.importsOfAll) }
        guard target.hasSuffix("Tests") else { return nil }
        let tested = String(target.dropLast("Tests".count))
        if tested == "Tidy" { return Layout.importsOfAll.union(["Testing"]) }
        guard let allowed = Layout.imports[tested] else { return nil }
        return allowed.union(Layout.importsOfAll).union([tested, "Testing", "TestSupport"])
    }

    private static func imports(of source: SwiftSource) -> [(module: String, line: Int)] {
        let kinds: Set = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let tokens = source.outline.tokens
        return tokens.indices.dropLast(2).compactMap { index in
            guard tokens[index].text == "import" else { return nil }
            let name = tokens[index + 1].text
            return (kinds.contains(name) ? tokens[index + 2].text : name, tokens[index].line)
        }
    }
}
