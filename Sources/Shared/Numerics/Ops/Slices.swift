extension Tensor {
    /// Tensors one after another along the outermost axis.
    /// - Parameter parts: `[N, ...]` each, of one type and the same inner axes; at least one
    /// - Returns: `[sum of N, ...]`
    package static func concatenated(_ parts: [Tensor]) -> Tensor {
        guard let first = parts.first else { preconditionFailure("concatenated: no parts") }
        let shapes = parts.map(\.shape)
        precondition(
            parts.allSatisfy {
                $0.type == first.type && $0.shape.rank > 0
                    && $0.shape.extents.dropFirst() == first.shape.extents.dropFirst()
            }, "concatenated: \(shapes) of \(parts.map(\.type))")
        var starts = [0]
        for shape in shapes { starts.append(starts[starts.count - 1] + shape[0]) }
        let ends = starts
        let y = Tensor.empty(
            first.shape.withRows(ends[parts.count]), first.type, on: first.backend)
        for (part, start) in zip(parts, starts) { part.copy(into: y, atRow: start) }
        return y.recorded("concatenated", inputs: parts) { dy, needed in
            needed.enumerated().map { part, isNeeded in
                isNeeded ? dy.view(rows: ends[part]..<ends[part + 1]) : nil
            }
        }
    }

    /// The rows of a range: a view. Its gradient is zero outside of the range.
    /// - Parameter range: rows of self `[N, ...]`
    /// - Returns: `[range.count, ...]`
    package func rows(_ range: Range<Int>) -> Tensor {
        precondition(
            shape.rank > 0 && range.lowerBound >= 0 && range.upperBound <= shape[0],
            "rows: \(range) of \(shape)")
        let source = shape
        return view(rows: range).recorded("rows", inputs: [self]) { dy, _ in
            let dx = Tensor.filled(0, source, dy.type, on: dy.backend)
            dy.copy(into: dx, atRow: range.lowerBound)
            return [dx]
        }
    }

    /// The columns of a range, as a copy. Its gradient is zero outside of the range.
    /// - Parameter range: columns of self `[..., D]`
    /// - Returns: `[..., range.count]`
    package func columns(_ range: Range<Int>) -> Tensor {
        precondition(
            shape.rank > 0 && range.lowerBound >= 0 && range.upperBound <= shape.width,
            "columns: \(range) of \(shape)")
        let source = shape
        let y = Tensor.empty(shape.withWidth(range.count), type, on: backend)
        copy(columnCopy(range), into: y)
        return y.recorded("columns", inputs: [self]) { dy, _ in
            let dx = Tensor.filled(0, source, dy.type, on: dy.backend)
            let there = dx.columnCopy(range)
            dy.copy(
                BlockCopy(
                    bytes: there.bytes, count: there.count, fromStride: there.toStride,
                    to: there.from, toStride: there.fromStride),
                into: dx)
            return [dx]
        }
    }

    /// Cuts columns into parts of given widths, such as a fused projection into q, k and v.
    /// - Parameter widths: together the width of self `[..., D]`
    /// - Returns: for each width a copy `[..., width]`
    package func split(columns widths: [Int]) -> [Tensor] {
        precondition(widths.reduce(0, +) == shape.width, "split: \(shape) into \(widths)")
        var start = 0
        return widths.map { width in
            defer { start += width }
            return columns(start..<start + width)
        }
    }

    /// How the columns of a range of self become a tensor of their own.
    private func columnCopy(_ range: Range<Int>) -> BlockCopy {
        let size = type.byteCount
        return BlockCopy(
            bytes: range.count * size, count: shape.rows, from: range.lowerBound * size,
            fromStride: shape.width * size, toStride: range.count * size)
    }
}
