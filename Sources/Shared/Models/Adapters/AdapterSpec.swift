/// What a LoRA adapter is made like: the part of PEFT's `LoraConfig` that has a meaning here.
package struct AdapterSpec: Sendable, Hashable {
    /// R, of modules that no rule of `ranks` is about.
    package var rank = 8
    /// What scales the terms: they count alpha / R times.
    package var alpha = 8.0
    /// The share of what flows into the terms that is dropped while training.
    package var dropout: Float = 0
    /// The linear layers that get a term.
    package var targets: AdapterTargets
    /// Linear layers that get none though they are targets.
    package var excluded: AdapterTargets?
    /// The numbered layers that get terms; nil for all.
    package var layers: AdapterLayers?
    /// Ranks and alphas of some modules; the first rule that is about a module counts.
    package var ranks: [AdapterRule<Int>] = []
    /// Alphas of some modules, likewise.
    package var alphas: [AdapterRule<Double>] = []
    /// Rank-stabilised: terms count alpha / √R times.
    package var isRankStabilised = false
    /// Modules that the adapter holds as a whole, trained like the terms: the ends of their paths.
    package var wholeModules: [String] = []
    /// What the adapter says its base is called, for those who load it by name.
    package var baseName: String?

    /// The largest rank: above it a term would be larger than most weights.
    package static let rankMax = 4096

    /// A specification with PEFT's defaults.
    package init(targets: AdapterTargets) { self.targets = targets }
}

/// Which modules something is about.
package enum AdapterTargets: Sendable, Hashable {
    /// Paths of modules, or the ends of such paths from a dot on.
    case names([String])
    /// A regular expression that a whole path matches.
    case pattern(String)
    /// Every linear layer but the output head.
    case allLinear
}

/// Layers by the number in their path.
package struct AdapterLayers: Sendable, Hashable {
    /// From 0.
    package var numbers: [Int]
    /// What the numbers stand behind, as regular expressions; empty for any name.
    package var lists: [String]

    /// Layers of some lists, or of any.
    package init(_ numbers: [Int], lists: [String] = []) {
        (self.numbers, self.lists) = (numbers, lists)
    }
}

/// A number for modules whose path, or the end of it from a dot on, matches a pattern.
package struct AdapterRule<Number: Sendable & Hashable>: Sendable, Hashable {
    /// A regular expression.
    package var pattern: String
    /// What counts for the modules that it is about.
    package var number: Number

    /// One rule.
    package init(_ pattern: String, _ number: Number) {
        (self.pattern, self.number) = (pattern, number)
    }
}
