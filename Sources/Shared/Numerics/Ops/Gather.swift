internal import CKernels

extension Tensor {
    /// Rows by number: row i of the result is row `indices[i]` of self.
    ///
    /// The gradient of a row is the sum of the gradients of its copies, in the order of the copies.
    /// - Parameter indices: rows of self `[N, ...]`, in any order, any number of times
    /// - Returns: `[indices.count, ...]`
    package func gathered(rows indices: [Int32]) -> Tensor {
        check(indices, "gathered")
        let y = Tensor.empty(shape.withRows(indices.count), type, on: backend)
        let index = Tensor(indices, on: backend)
        backend.enqueue(
            Launch(
                Kernel(CK_gather_rows), [y.write, read, index.read],
                numbers: [shape.rowWidth * type.byteCount], units: indices.count,
                grain: Launch.grain(elements: shape.rowWidth)))
        let rows = shape[0]
        return y.recorded("gathered", inputs: [self]) { dy, _ in
            [dy.combined(RowSums(adding: indices, into: rows))]
        }
    }

    /// A copy with other rows in some places: row `indices[i]` of the result is row i of `rows`.
    /// - Parameters:
    ///   - indices: rows of self `[N, ...]`, none twice
    ///   - rows: `[indices.count, ...]`
    /// - Returns: same shape as self
    package func replacing(rows indices: [Int32], with rows: Tensor) -> Tensor {
        check(indices, "replacing", unique: true)
        precondition(
            rows.shape == shape.withRows(indices.count) && rows.type == type,
            "replacing: \(indices.count) rows of \(shape) of \(type) "
                + "by \(rows.shape) of \(rows.type)")
        let y = Tensor.empty(shape, type, on: backend)
        detached().copy(into: y, atRow: 0)
        let index = Tensor(indices, on: backend)
        y.scatter(rows, at: index)
        return y.recorded("replacing", inputs: [self, rows]) { dy, needed in
            [
                needed[0] ? dy.clearing(index) : nil,
                needed[1] ? dy.gathered(rows: indices) : nil,
            ]
        }
    }

    /// A copy with zeros in some rows.
    private func clearing(_ index: Tensor) -> Tensor {
        let y = Tensor.empty(shape, type, on: backend)
        copy(into: y, atRow: 0)
        y.scatter(nil, at: index)
        return y
    }
}
