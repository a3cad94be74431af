import Layers
package import Numerics
import TensorFiles

/// Makes an adapter part of a model's weights:
///
///     W' = W + scale · up down
///
/// W is the weight that the adapter was trained on: where the model was loaded with quantised
/// weights, what these stand for, and never what they were made of.
package struct AdapterMerge {
    /// How far a merged model is from base and adapter.
    package struct Comparison: Sendable, Hashable {
        /// Of any logit.
        package let largestDifference: Float
        /// The largest logit, without its sign.
        package let largestLogit: Float
        /// How many rows have the same most probable token, of how many.
        package let sameTokens: Int, rows: Int
    }

    private let adapter: Adapter
    private let model: LoadedModel
    private let base: String
    /// The type of changed weights; nil for that in which the base stores them, or the type of the
    /// model's rows where it stores them quantised.
    package var type: DType?
    /// Whether parameters that the adapter holds are written in their own types.
    private var keepsTypes = false
    /// The most bytes of tensors in a file.
    package var shardBytesMax = 5_000_000_000

    /// - Parameters:
    ///   - model: loaded as it was when the adapter was trained
    ///   - base: the folder that it was loaded from
    package init(_ adapter: Adapter, in model: LoadedModel, base: String) {
        (self.adapter, self.model, self.base) = (adapter, model, base)
    }

    /// The model with other values of some parameters: what full training leaves behind.
    /// - Parameters:
    ///   - parameters: by the names of the model's parameters, of their shapes
    ///   - base: the folder that the model was loaded from
    package init(replacing parameters: NamedTensors, in model: LoadedModel, base: String) {
        let wholes = model.parameters.indices.filter {
            parameters[model.parameters[$0].name] != nil
        }
        let sites = AdapterSites(terms: [], wholes: wholes, in: model)
        let values = NamedTensors(
            sites.wholes.compactMap { whole in
                parameters[whole.parameter].map { (whole.name, $0) }
            })
        self.init(Adapter(AdapterSpec(targets: .names([])), sites, values), in: model, base: base)
        keepsTypes = true
    }

    /// Writes the merged model, and all other files of the base, to a folder.
    /// - Parameter folder: exists and has no checkpoint
    package func write(to folder: String) throws(AdapterError) {
        let source: Checkpoint
        do { source = try Checkpoint(folder: base) } catch { throw .file(error) }
        let plan = try MergePlan(source, adapter, model, type, keepsTypes: keepsTypes)
        try plan.write(to: folder, shardBytesMax: shardBytesMax)
        try OtherFiles(base).copy(to: folder, isUnpacked: plan.isUnpacked)
    }

    /// Compares logits of the merged model in a folder with those of base and adapter.
    /// - Parameters:
    ///   - folder: as `write` left it
    ///   - inputs: samples, one at least
    ///   - tolerance: the largest difference of a logit that is allowed
    package func check(
        _ folder: String, on inputs: [ModelInput], tolerance: Float
    ) throws(AdapterError) -> Comparison {
        let merged: LoadedModel
        do {
            merged = try LoadedModel(
                folder: folder, WeightPlan(type: type ?? model.plan.type), on: model.model.backend)
        } catch {
            throw .config(error)
        }
        let pass = Pass().with(adapter.bound)
        // One sample at a time: logits of many are larger than the model.
        let comparison = inputs.reduce(Comparison([], [], width: 1)) { sum, input in
            let ours = merged.model.logits([input], Pass())
            let expected = model.model.logits([input], pass)
            return sum.joined(
                Comparison(ours.floats(), expected.floats(), width: expected.shape.width))
        }
        // A difference that is no number is no difference below the tolerance either.
        guard comparison.largestDifference <= tolerance else {
            throw .mergeDiffers(seen: comparison.largestDifference, allowed: tolerance)
        }
        return comparison
    }
}

extension AdapterMerge.Comparison {
    fileprivate func joined(_ other: Self) -> Self {
        Self(
            largestDifference: max(largestDifference, other.largestDifference),
            largestLogit: max(largestLogit, other.largestLogit),
            sameTokens: sameTokens + other.sameTokens, rows: rows + other.rows)
    }

    init(_ ours: [Float], _ expected: [Float], width: Int) {
        var (difference, largest): (Float, Float) = (0, 0)
        for (a, b) in zip(ours, expected) {
            let distance = abs(a - b)
            difference = distance.isNaN ? .infinity : max(difference, distance)
            largest = max(largest, abs(b))
        }
        let rows = expected.count / max(width, 1)
        let same = (0..<rows).filter { row in
            let range = row * width..<(row + 1) * width
            return ours[range].largestOffset == expected[range].largestOffset
        }
        (largestDifference, largestLogit) = (difference, largest)
        (sameTokens, self.rows) = (same.count, rows)
    }
}

extension ArraySlice<Float> {
    fileprivate var largestOffset: Int {
        indices.reduce(startIndex) { self[$1] > self[$0] ? $1 : $0 } - startIndex
    }
}
