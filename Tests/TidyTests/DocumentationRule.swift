/// Everything that other targets see has a `///` comment, but for what a comment nearby explains:
/// requirements of the protocols a type conforms to, stored properties of a documented type,
/// initialisers that only fill those, and overloads of a documented name.
struct DocumentationRule {
    /// The names of the members that each protocol asks for.
    private let requirements: [String: Set<String>]

    /// - Parameter sources: the files whose protocols count besides the standard ones
    init(protocolsOf sources: [SwiftSource]) {
        var requirements = Layout.standardRequirements
        for source in sources {
            let outline = source.outline
            for declaration in outline.declarations {
                guard let index = declaration.scope else { continue }
                let scope = outline.scopes[index]
                guard scope.keyword == "protocol" else { continue }
                requirements[scope.name, default: []].insert(declaration.name)
            }
        }
        self.requirements = requirements
    }

    func findings(_ source: SwiftSource) -> [Finding] {
        source.outline.declarations.compactMap { declaration in
            guard let visibility = declaration.visibility, declaration.keyword != "extension",
                !isDocumented(declaration, in: source), !isExplainedNearby(declaration, in: source)
            else { return nil }
            return source.file.finding(
                declaration.line, "\(visibility) \(declaration.name) needs a /// comment")
        }
    }

    private func isDocumented(
        _ declaration: SwiftOutline.Declaration, in source: SwiftSource
    ) -> Bool {
        source.documentedLines.contains(declaration.firstLine - 1)
    }

    private func isExplainedNearby(
        _ declaration: SwiftOutline.Declaration, in source: SwiftSource
    ) -> Bool {
        let outline = source.outline
        guard let index = declaration.scope else { return false }
        if Layout.plainNames.contains(declaration.name) { return true }
        let scope = outline.scopes[index]
        if isStored(declaration), let type = scope.declaration,
            isDocumented(outline.declarations[type], in: source)
        {
            return true
        }
        let overloads = outline.declarations.filter {
            $0.scope == index && $0.name == declaration.name && $0.keyword == "func"
        }
        if overloads.contains(where: { isDocumented($0, in: source) }) { return true }
        // An extension that adds a conformance holds what the protocol asks for.
        if scope.keyword == "extension", !scope.conformances.isEmpty { return true }
        // A default implementation of a requirement, or the implementation in the type itself.
        let protocols = scope.conformances + [scope.name]
        if protocols.contains(where: { requirements[$0]?.contains(declaration.name) ?? false }) {
            return true
        }
        return declaration.keyword == "init"
            && declaration.parameters.allSatisfy(properties(of: index, in: outline).contains)
    }

    private func isStored(_ declaration: SwiftOutline.Declaration) -> Bool {
        ["let", "var"].contains(declaration.keyword) && declaration.lastLine == nil
    }

    private func properties(of scope: Int, in outline: SwiftOutline) -> Set<String> {
        Set(
            outline.declarations
                .filter { $0.scope == scope && ($0.keyword == "let" || $0.keyword == "var") }
                .map(\.name))
    }
}
