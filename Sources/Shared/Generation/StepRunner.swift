import Layers
package import Models
package import Numerics

/// Runs planned passes on a model: rows of prompts and of answers of any sequences together, as one
/// ragged batch. A sequence gets the bits that it gets alone.
package final class StepRunner {
    /// A slice of the plan with what its rows are.
    package struct Rows {
        package let slice: StepPlan.Slice
        /// One for each row.
        package let ids: [Int32]
        /// What images of the prompt became, all of them; nil if there are none.
        package let features: Tensor?
        /// The rows of the prompt that `features` stand for. Only those: a model may write the
        /// token that stands for images, and it is a token like any other then.
        package let imageRows: [Range<Int>]
        package let adapter: RequestAdapter?

        package init(
            slice: StepPlan.Slice, ids: [Int32], features: Tensor? = nil,
            imageRows: [Range<Int>] = [], adapter: RequestAdapter? = nil
        ) {
            precondition(ids.count == slice.rows.count, "rows: \(ids.count) of \(slice.rows)")
            (self.slice, self.ids, self.features) = (slice, ids, features)
            (self.imageRows, self.adapter) = (imageRows, adapter)
        }
    }

    private let model: any VisionLanguageModel
    private let cache: KeyValueCache
    private let pageRows: Int

    package init(_ model: any VisionLanguageModel, _ cache: KeyValueCache, pageRows: Int) {
        (self.model, self.cache, self.pageRows) = (model, cache, pageRows)
    }

    /// What images become.
    /// - Parameter images: any number above 0
    /// - Returns: `[Σ tokenCount, D]`
    package func features(of images: [PreparedImage], _ adapter: RequestAdapter?) -> Tensor {
        let pass = adapter.map { Pass().with($0.terms) } ?? Pass()
        return model.imageFeatures(images, pass)
    }

    /// Computes rows, keeps their keys and values, and gives what decides on the next tokens.
    /// - Returns: float32 `[sampled slices, V]` in their order; nil if none is sampled
    package func logits(_ parts: [Rows]) -> Tensor? {
        let pass = pass(of: parts.map { ($0.slice.rows.count, $0.adapter) })
        let slices = parts.map(\.slice)
        let positions = Tensor(slices.flatMap { $0.rows.map(Int32.init) }, on: model.backend)
        let x = model.decoder(
            embedded(parts, pass), model.decoder.rotary(at: positions),
            cache.memory(slices, pageRows: pageRows), pass)
        let last = sampledRows(slices)
        guard !last.isEmpty else { return nil }
        let isAll = last.count == x.shape[0]
        return model.decoder.head(
            isAll ? x : x.gathered(rows: last),
            self.pass(of: parts.filter(\.slice.isSampled).map { (1, $0.adapter) }),
            as: .float32)
    }

    private func embedded(_ parts: [Rows], _ pass: Pass) -> Tensor {
        var (ids, rows, features) = ([Int32](), [Int32](), [Tensor]())
        for part in parts {
            if let all = part.features {
                let cut = part.imageCut
                rows += cut.rows.map { Int32(ids.count + $0) }
                if !cut.rows.isEmpty { features.append(all.rowRange(cut.features)) }
            }
            ids += part.ids
        }
        guard let first = features.first else { return model.embedded(ids, pass) }
        return model.embedded(
            ids, imageRows: rows,
            features: features.count == 1 ? first : .concatenated(features), pass)
    }

    private func sampledRows(_ slices: [StepPlan.Slice]) -> [Int32] {
        var (rows, end) = ([Int32](), 0)
        for slice in slices {
            end += slice.rows.count
            if slice.isSampled { rows.append(Int32(end - 1)) }
        }
        return rows
    }

    /// What rows go through: an adapter that holds whole parameters has all of them.
    private func pass(of parts: [(rows: Int, adapter: RequestAdapter?)]) -> Pass {
        if let adapter = parts.first?.adapter, adapter.terms.hasReplacements {
            precondition(
                parts.allSatisfy { $0.adapter?.name == adapter.name },
                "step: adapter \(adapter.name) is not alone")
            return Pass().with(adapter.terms)
        }
        return Pass().with(shares(parts))
    }

    /// Neighbours with the same adapter make one range.
    private func shares(_ parts: [(rows: Int, adapter: RequestAdapter?)]) -> [AdapterShare] {
        var (shares, names, end) = ([AdapterShare](), [String](), 0)
        for (rows, adapter) in parts {
            defer { end += rows }
            guard let adapter else { continue }
            if let last = shares.last, last.rows.upperBound == end, names.last == adapter.name {
                shares[shares.count - 1] = AdapterShare(
                    rows: last.rows.lowerBound..<end + rows, adapter: adapter.terms)
            } else {
                names.append(adapter.name)
                shares.append(AdapterShare(rows: end..<end + rows, adapter: adapter.terms))
            }
        }
        return shares
    }
}

extension StepRunner.Rows {
    /// The rows of the slice, from its first, that images stand in, and which of the features
    /// those are. Features are in the order of the rows, so a slice has neighbours of them.
    fileprivate var imageCut: (rows: [Int], features: Range<Int>) {
        var (rows, before, first) = ([Int](), 0, 0)
        for place in imageRows {
            let cut = place.clamped(to: slice.rows)
            if !cut.isEmpty {
                if rows.isEmpty { first = before + cut.lowerBound - place.lowerBound }
                rows += cut.map { $0 - slice.rows.lowerBound }
            }
            before += place.count
        }
        return (rows, first..<first + rows.count)
    }
}
