/// Everything that other targets see has a `///` comment, but for what needs none: requirements of
/// the protocols a type conforms to, initialisers that only fill properties, and plain names.
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
                !source.documentedLines.contains(declaration.firstLine - 1),
                !needsNone(declaration, in: source.outline)
            else { return nil }
            return source.file.finding(
                declaration.line, "\(visibility) \(declaration.name) needs a /// comment")
        }
    }

    private func needsNone(
        _ declaration: SwiftOutline.Declaration, in outline: SwiftOutline
    ) -> Bool {
        guard let index = declaration.scope else { return false }
        if Layout.plainNames.contains(declaration.name) { return true }
        let scope = outline.scopes[index]
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

    private func properties(of scope: Int, in outline: SwiftOutline) -> Set<String> {
        Set(
            outline.declarations
                .filter { $0.scope == scope && ($0.keyword == "let" || $0.keyword == "var") }
                .map(\.name))
    }
}
