internal import CKernels

/// Rows that are weighted sums of other rows, as lists made on the host: result row `targets[g]` is
/// the sum of `weights[j]` times source row `sources[j]` for j in `offsets[g]..<offsets[g + 1]`, in
/// this order. Result rows without a list are zero.
struct RowSums: Sendable {
    /// Rows of the result.
    let rows: Int
    /// nil: list g is of row g.
    let targets: [Int32]?
    let offsets: [Int32]
    let sources: [Int32]
    /// nil: all are 1.
    let weights: [Float]?

    /// Sums that undo a gather: row `indices[i]` of the result is the sum of all source rows i.
    /// - Parameter rows: rows of the result; every index is below it
    init(adding indices: [Int32], into rows: Int) {
        var starts = [Int32](repeating: 0, count: rows + 1)
        for index in indices { starts[Int(index) + 1] += 1 }
        let targets = (0..<rows).filter { starts[$0 + 1] > 0 }
        for row in 0..<rows { starts[row + 1] += starts[row] }
        var ends = starts
        var sources = [Int32](repeating: 0, count: indices.count)
        for (source, index) in indices.enumerated() {
            sources[Int(ends[Int(index)])] = Int32(source)
            ends[Int(index)] += 1
        }
        self.rows = rows
        self.targets = targets.map(Int32.init)
        offsets = [0] + targets.map { starts[$0 + 1] }
        self.sources = sources
        weights = nil
    }

    /// One list for each row of the result.
    init(_ lists: [[(source: Int, weight: Float)]]) {
        rows = lists.count
        targets = nil
        offsets = lists.reduce(into: [0]) { $0.append($0[$0.count - 1] + Int32($1.count)) }
        sources = lists.joined().map { Int32($0.source) }
        weights = lists.joined().map(\.weight)
    }

    /// What turns the gradient of the sums into that of the source rows.
    /// - Parameter sourceRows: how many of those there are
    func transposed(sourceRows: Int) -> RowSums {
        var lists = [[(source: Int, weight: Float)]](repeating: [], count: sourceRows)
        for group in 0..<offsets.count - 1 {
            let row = targets.map { Int($0[group]) } ?? group
            for entry in Int(offsets[group])..<Int(offsets[group + 1]) {
                lists[Int(sources[entry])].append((row, weights?[entry] ?? 1))
            }
        }
        return RowSums(lists)
    }
}

extension Tensor {
    /// Sums rows of self `[N, ...]`. No gradient is recorded: ops do that.
    /// - Returns: `[sums.rows, ...]`
    func combined(_ sums: RowSums) -> Tensor {
        let groups = sums.offsets.count - 1
        let target = shape.withRows(sums.rows)
        let y =
            groups == sums.rows
            ? Tensor.empty(target, type, on: backend)
            : Tensor.filled(0, target, type, on: backend)
        let lists = [sums.targets, sums.offsets, sums.sources].map { list in
            list.map { Tensor($0, on: backend).read }
        }
        let weights = sums.weights.map { Tensor($0, [$0.count], on: backend).read }
        let terms = sums.sources.count / max(groups, 1) + 1
        backend.enqueue(
            Launch(
                Kernel(CK_combine_rows_f32, for: type),
                [y.readWrite, read] + lists + [weights], numbers: [shape.rowWidth],
                units: groups, grain: Launch.grain(elements: shape.rowWidth * terms)))
        return y
    }
}
