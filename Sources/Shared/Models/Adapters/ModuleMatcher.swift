import Text

/// A pattern from a field of an adapter's configuration.
struct ModulePattern: Sendable {
    private let pattern: NamePattern
    private let field: String

    init(_ source: String, field: String) throws(AdapterError) {
        self.field = field
        do {
            pattern = try NamePattern(source)
        } catch {
            throw Self.error(error, field, source)
        }
    }

    func matches(_ path: String) throws(AdapterError) -> Bool {
        do {
            return try pattern.matches(path)
        } catch {
            throw Self.error(error, field, pattern.source)
        }
    }

    private static func error(
        _ fault: NamePattern.Fault, _ field: String, _ source: String
    ) -> AdapterError {
        switch fault {
        case .malformed(let offset, let why):
            .badPattern(field: field, pattern: source, why: "at \(offset): \(why)")
        case .tooSlow(let stepsMax):
            .badPattern(
                field: field, pattern: source,
                why: "it takes more than \(stepsMax) steps for one name; make it simpler")
        }
    }
}

/// Decides which modules a specification is about, as PEFT does.
struct ModuleMatcher: Sendable {
    private let targets: ModuleSet
    private let excluded: ModuleSet?
    private let layers: [ModulePattern]
    private let layerNumbers: Set<Int>?
    private let whole: [String]
    private let ranks: [(ModulePattern, Int)]
    private let alphas: [(ModulePattern, Double)]
    private let spec: AdapterSpec

    init(_ spec: AdapterSpec) throws(AdapterError) {
        self.spec = spec
        targets = try ModuleSet(spec.targets, field: "target_modules")
        excluded =
            if let excluded = spec.excluded {
                try ModuleSet(excluded, field: "exclude_modules")
            } else { nil }
        whole = spec.wholeModules
        layerNumbers = spec.layers.map { Set($0.numbers) }
        // The names behind a number are cut off before, so that patterns end with it.
        var layers: [ModulePattern] = []
        for list in spec.layers?.lists ?? [] {
            layers.append(
                try ModulePattern("(?:.*\\.)?(?:\(list))\\.[0-9]+", field: "layers_pattern"))
        }
        self.layers = layers
        ranks = try Self.compiled(spec.ranks, field: "rank_pattern")
        alphas = try Self.compiled(spec.alphas, field: "alpha_pattern")
    }

    private static func compiled<Number>(
        _ rules: [AdapterRule<Number>], field: String
    ) throws(AdapterError) -> [(ModulePattern, Number)] {
        var compiled: [(ModulePattern, Number)] = []
        for rule in rules {
            let pattern = try ModulePattern("(?:.*\\.)?(?:\(rule.pattern))", field: field)
            compiled.append((pattern, rule.number))
        }
        return compiled
    }

    /// Whether a linear layer gets a term.
    /// - Parameter isHead: whether it is the output head
    func isTarget(_ path: String, isHead: Bool, isConvolution: Bool) throws(AdapterError) -> Bool {
        if try excluded?.contains(path) == true { return false }
        if !spec.wholeModules.isEmpty, isHeldAsWhole(path, needsDot: true) { return false }
        if case .allLinear = spec.targets, isHead || isConvolution { return false }
        guard try targets.contains(path) else { return false }
        // As in PEFT, numbers of layers choose among names only.
        guard case .names = spec.targets else { return true }
        return try isInLayers(path)
    }

    /// Whether the adapter holds a module as a whole.
    /// - Parameter needsDot: whether only whole parts of the path count
    private func isHeldAsWhole(_ module: String, needsDot: Bool) -> Bool {
        let parts = module.split(separator: ".")
        return (1...max(parts.count, 1)).contains { count in
            let path = parts.prefix(count).joined(separator: ".")
            return whole.contains { name in
                path == name || path.hasSuffix(needsDot ? "." + name : name)
            }
        }
    }

    /// Whether the adapter holds a parameter because it holds its module.
    func holds(parameter name: String) -> Bool {
        guard !whole.isEmpty, let dot = name.lastIndex(of: ".") else { return false }
        return isHeldAsWhole(String(name[..<dot]), needsDot: false)
    }

    /// Whether the first numbered list on a path has one of the numbers.
    private func isInLayers(_ path: String) throws(AdapterError) -> Bool {
        guard let layerNumbers else { return true }
        let parts = path.split(separator: ".")
        for (index, part) in parts.enumerated().dropFirst().dropLast()
        where part.utf8.allSatisfy({ 48...57 ~= $0 }) {
            let name = parts.prefix(index + 1).joined(separator: ".")
            let isList = try layers.isEmpty ? index > 1 : anyMatches(layers, name)
            if isList { return Int(part).map { layerNumbers.contains($0) } ?? false }
        }
        return false
    }

    private func anyMatches(
        _ patterns: [ModulePattern], _ name: String
    ) throws(AdapterError) -> Bool {
        for pattern in patterns where try pattern.matches(name) { return true }
        return false
    }

    /// R of a module.
    /// - Parameter names: what the module is called here and in the adapter's file
    func rank(of names: [String]) throws(AdapterError) -> Int {
        try Self.first(ranks, names) ?? spec.rank
    }

    /// What the term of a module counts.
    func scale(of names: [String]) throws(AdapterError) -> Float {
        let rank = Double(try rank(of: names))
        let alpha = try Self.first(alphas, names) ?? spec.alpha
        return Float(alpha / (spec.isRankStabilised ? rank.squareRoot() : rank))
    }

    private static func first<Number>(
        _ rules: [(ModulePattern, Number)], _ names: [String]
    ) throws(AdapterError) -> Number? {
        for (pattern, number) in rules {
            for name in names where try pattern.matches(name) { return number }
        }
        return nil
    }
}

/// A set of modules by their paths.
private enum ModuleSet: Sendable {
    case names(Set<String>)
    case pattern(ModulePattern)
    case all

    init(_ targets: AdapterTargets, field: String) throws(AdapterError) {
        switch targets {
        case .names(let names): self = .names(Set(names))
        case .pattern(let source): self = .pattern(try ModulePattern(source, field: field))
        case .allLinear: self = .all
        }
    }

    func contains(_ path: String) throws(AdapterError) -> Bool {
        switch self {
        case .all: return true
        case .pattern(let pattern): return try pattern.matches(path)
        case .names(let names):
            if names.contains(path) { return true }
            return path.indices.contains { index in
                path[index] == "." && names.contains(String(path[path.index(after: index)...]))
            }
        }
    }
}
