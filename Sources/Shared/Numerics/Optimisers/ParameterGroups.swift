/// The options of an optimiser, with exceptions for groups of parameters.
package struct ParameterGroups<Options: Sendable>: Sendable {
    private struct Group: Sendable {
        let contains: @Sendable (String) -> Bool
        let options: Options
    }

    private let base: Options
    private var groups: [Group] = []

    /// - Parameter base: the options of all parameters that no group contains
    package init(_ base: Options) { self.base = base }

    /// The options of the base and of each group.
    package var allOptions: [Options] { [base] + groups.map(\.options) }

    /// Adds a group of its own options for the parameters whose names satisfy a condition and
    /// that no earlier group contains.
    /// - Parameter change: makes the group's options of the base's
    package func group(
        where contains: @escaping @Sendable (String) -> Bool, _ change: (inout Options) -> Void
    ) -> ParameterGroups {
        var (copy, options) = (self, base)
        change(&options)
        copy.groups.append(Group(contains: contains, options: options))
        return copy
    }

    /// Adds a group of its own options for the parameters of these names.
    package func group(
        of names: some Sequence<String>, _ change: (inout Options) -> Void
    ) -> ParameterGroups {
        let names = Set(names)
        return group(where: { names.contains($0) }, change)
    }

    /// The options of a parameter: those of the first group that contains it.
    package func options(of name: String) -> Options {
        groups.first { $0.contains(name) }?.options ?? base
    }
}
