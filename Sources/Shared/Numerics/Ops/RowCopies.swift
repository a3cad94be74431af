internal import CKernels

extension Shape {
    /// Elements of one entry of the outermost axis.
    var rowWidth: Int { extents.dropFirst().reduce(1, *) }
}

extension Operand {
    /// The part after the first bytes.
    func dropping(_ bytes: Int) -> Operand {
        Operand(
            buffer: buffer, offset: offset + bytes, byteCount: byteCount - bytes, access: access)
    }
}

/// Blocks of `bytes` to copy: where they start, and how far one is from the next.
struct BlockCopy {
    let bytes: Int
    let count: Int
    var from = 0
    var fromStride: Int
    var to = 0
    var toStride: Int
}

extension Tensor {
    /// Where the rows of a range are, without copying. No gradient is recorded: ops do that.
    func view(rows: Range<Int>) -> Tensor {
        Tensor(
            shape: shape.withRows(rows.count), type: type, buffer: buffer,
            offset: offset + rows.lowerBound * shape.rowWidth * type.byteCount)
    }

    /// Copies blocks of self into a tensor that nobody else has seen yet.
    func copy(_ copy: BlockCopy, into y: Tensor) {
        guard copy.bytes > 0, copy.count > 0 else { return }
        backend.enqueue(
            Launch(
                Kernel(CK_copy_rows),
                [y.readWrite.dropping(copy.to), read.dropping(copy.from)],
                numbers: [copy.bytes, copy.toStride, copy.fromStride], units: copy.count,
                grain: Launch.grain(elements: copy.bytes / 4)))
    }

    /// Copies all rows of self to rows of `y` from `row` on.
    func copy(into y: Tensor, atRow row: Int) {
        let bytes = shape.rowWidth * type.byteCount
        copy(
            BlockCopy(
                bytes: bytes, count: shape[0], fromStride: bytes, to: row * bytes,
                toStride: bytes),
            into: y)
    }

    /// Writes rows of `x` (nil: zeros) at row numbers of self, a tensor nobody has seen yet.
    func scatter(_ x: Tensor?, at indices: Tensor) {
        backend.enqueue(
            Launch(
                Kernel(CK_scatter_rows), [readWrite, x?.read, indices.read],
                numbers: [shape.rowWidth * type.byteCount], units: indices.shape.count,
                grain: Launch.grain(elements: shape.rowWidth)))
    }

    /// Traps unless every index is a row of self, and none comes twice where that matters.
    func check(_ indices: [Int32], _ name: String, unique: Bool = false) {
        precondition(shape.rank > 0, "\(name): a tensor of no axes")
        let rows = shape[0]
        for index in indices {
            precondition(index >= 0 && Int(index) < rows, "\(name): row \(index) of \(shape)")
        }
        guard unique else { return }
        precondition(
            Set(indices).count == indices.count,
            "\(name): \(indices.count) rows of \(shape), some twice")
    }
}
