package import Base

/// A field of a recipe that cannot work.
package struct RecipeProblem: Sendable, Hashable {
    /// As in the contract, such as `adapter.rank`.
    package let field: String
    package let seen: String
    package let allowed: String
    /// UPPER_SNAKE_CASE, for programs.
    package let reason: String

    /// - Parameters:
    ///   - field: its path
    ///   - seen: its value
    ///   - allowed: the values that work
    ///   - reason: for programs
    package init(
        _ field: String, seen: String, allowed: String, reason: String = "FIELD_INVALID"
    ) {
        (self.field, self.seen, self.allowed, self.reason) = (field, seen, allowed, reason)
    }

    /// In words.
    package var message: String { "\(field) is \(seen); allowed is \(allowed)" }
}

/// Why a run is refused before any work is done for it: every reason that was found.
package struct RecipeError: Failure, Hashable {
    /// One at least.
    package let problems: [RecipeProblem]

    package var kind: FailureKind { .invalidInput }
    package var reason: String { problems.first?.reason ?? "FIELD_INVALID" }
    package var message: String { problems.map(\.message).joined(separator: ". ") }
    package var details: [FailureDetail] {
        problems.map { .field(path: $0.field, description: $0.message) }
    }
}

/// A recipe that can work, with all its defaults, and what is unusual about it.
package struct CheckedRecipe: Sendable, Hashable {
    package let recipe: TrainingRecipe
    /// Values that work and are seldom wise.
    package let notes: [RecipeProblem]
}
