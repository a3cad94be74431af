package import Base
import Digests
package import Models
package import Numerics

/// What the world looks like to a run: clocks and memory, given from outside.
package struct RunSurroundings: Sendable {
    /// A clock that never steps back.
    package var now: @Sendable () -> MonotonicTime
    /// The most bytes on the device since it was asked last.
    package var peakBytes: @Sendable () -> Int

    /// - Parameters:
    ///   - now: a clock that never steps back
    ///   - peakBytes: the most bytes on the device since it was asked last
    package init(
        now: @escaping @Sendable () -> MonotonicTime, peakBytes: @escaping @Sendable () -> Int
    ) {
        (self.now, self.peakBytes) = (now, peakBytes)
    }

    /// The machine's clock, and the memory of a processor's tensors.
    package static func machine(_ backend: CPUBackend) -> RunSurroundings {
        RunSurroundings(now: { .now() }) {
            defer { backend.resetMemoryMax() }
            return backend.memoryUse.liveMax
        }
    }
}

/// Where a run comes from: what its results say of themselves.
package struct RunOrigin: Sendable, Hashable {
    /// Digest of the model that training starts from.
    package var baseDigest: String
    /// The folder that it was loaded from.
    package var baseFolder: String
    /// Further facts for the lineage, such as the version of the rows and the template's digest.
    package var facts: [String: String]

    package init(baseDigest: String, baseFolder: String, facts: [String: String] = [:]) {
        (self.baseDigest, self.baseFolder, self.facts) = (baseDigest, baseFolder, facts)
    }
}

/// Everything that a run is made of.
package struct RunSetup {
    /// With all its defaults.
    package let recipe: TrainingRecipe
    /// Loaded by the recipe's `weightPlan`.
    package let model: LoadedModel
    package let source: any RowSource
    package let facts: DatasetFacts
    package let encoder: RowEncoder
    package let origin: RunOrigin
    package var surroundings: RunSurroundings
    /// Where checkpoints go; nil for none.
    package var store: CheckpointStore?
    /// What training starts from; nil for a fresh adapter, or the model's own parameters.
    package var start: TrainedWeights?
    /// Measures metrics of the task at each evaluation; nil where the loss is all.
    package var taskMetrics: (@Sendable (TrainedWeights, Int) throws(RowFault) -> [String: Double])?

    /// - Parameters:
    ///   - recipe: checked for this model and these rows
    ///   - model: loaded by the recipe's `weightPlan`
    ///   - rows: the source and what is known of its rows
    ///   - encoder: that counted the rows
    package init(
        _ recipe: CheckedRecipe, _ model: LoadedModel,
        rows: (source: any RowSource, facts: DatasetFacts), _ encoder: RowEncoder,
        _ origin: RunOrigin, _ surroundings: RunSurroundings
    ) {
        (self.recipe, self.model, source, facts) = (recipe.recipe, model, rows.source, rows.facts)
        (self.encoder, self.origin, self.surroundings) = (encoder, origin, surroundings)
    }

    /// A digest of all rows with their lengths: with another one the order would be another.
    var rowsDigest: String {
        var hash = SHA256()
        for split in RowSplit.allCases {
            for row in facts[split] {
                let line =
                    "\(split.rawValue)\t\(row.index)\t\(row.id)\t\(row.tokens)\t"
                    + "\(row.shortening)\n"
                Array(line.utf8).withUnsafeBytes { hash.update($0) }
            }
        }
        return hash.finish().hex
    }
}
