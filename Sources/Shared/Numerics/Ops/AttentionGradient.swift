internal import CKernels

/// The derivatives of a ragged attention: scores are made again block by block, so that only one
/// number for each row and head is kept from the forward.
///
/// A unit of work is a part of the keys of one sequence and key head. It makes dk and dv of its
/// keys, and what they add to dq: in a slot of its own, and the slots are summed in order. A
/// sequence has few parts, so slots are few; how many depends on its length alone.
struct AttentionGradient: Sendable {
    let q, k, v, y: Tensor
    /// log2 of the sum of all weights of a row before they were divided by it, `[N, H]`
    let logs: Tensor
    let segments: Segments
    let shapes: AttentionItems.Shapes
    let scale: Float

    /// Parts of the longest sequence.
    private static let partsMax = 4

    /// - Returns: gradients of q, k and v
    func callAsFunction(_ dy: Tensor) -> [Tensor?] {
        let backend = dy.backend
        let parts = (0..<segments.count).map { self.parts(of: $0) }
        let slots = parts.map(\.count).max() ?? 0
        let dq = Tensor.empty(Shape([max(slots, 1)] + q.shape.extents), .float32, on: backend)
        let dk = Tensor.empty(k.shape, k.type, on: backend)
        let dv = Tensor.empty(v.shape, v.type, on: backend)
        let items = items(parts)
        let pairs = items.reduce(0) { $0 + $1.cost } * shapes.queryHeads * shapes.headWidth
        let units = items.count * shapes.keyHeads
        backend.enqueue(
            Launch(
                Kernel(CK_attention_gradient_f32, for: q.type),
                [
                    dq.write, dk.write, dv.write, dy.read, y.read, logs.read, q.read, k.read,
                    v.read, Tensor(items.flatMap(\.entries), on: backend).read,
                ],
                numbers: [
                    q.shape[1], k.shape[1], q.shape[2], shapes.causal ? 1 : 0, q.shape.count,
                ],
                scalars: [scale * AttentionItems.log2e, scale], units: units,
                grain: max(units * 200_000 / max(pairs, 1), 1)))
        return [sum(dq, parts), dk, dv]
    }

    /// dq of all slots, of q's type.
    private func sum(_ slots: Tensor, _ parts: [[Range<Int>]]) -> Tensor {
        let counts = (0..<segments.count).flatMap { index in
            segments.queryRows(of: index).map { row in
                let seen = self.seen(byBlockOf: row, in: index)
                return Int32(parts[index].count { $0.lowerBound < seen })
            }
        }
        if q.type == .float32 && counts.allSatisfy({ $0 == 1 }) { return slots.reshaped(q.shape) }
        let dq = Tensor.empty(q.shape, q.type, on: q.backend)
        let width = q.shape[1] * q.shape[2]
        q.backend.enqueue(
            Launch(
                Kernel(CK_attention_gradient_sum_f32, for: q.type),
                [dq.write, slots.read, Tensor(counts, on: q.backend).read],
                numbers: [width, q.shape.count], units: q.shape[0],
                grain: Launch.grain(elements: 2 * width)))
        return dq
    }

    /// Keys that the last row of a row's block sees: the block gets what all of them add.
    private func seen(byBlockOf row: Int, in index: Int) -> Int {
        let (queries, keys) = (segments.queryRows(of: index), segments.keyRows(of: index).count)
        guard shapes.causal else { return keys }
        let block = (row - queries.lowerBound) / Int(CK_ATTENTION_ROWS)
        let last = min((block + 1) * Int(CK_ATTENTION_ROWS), queries.count) - 1
        return keys - queries.count + last + 1
    }

    private func parts(of index: Int) -> [Range<Int>] {
        let (keys, held) = (segments.keyRows(of: index).count, Int(CK_ATTENTION_HELD))
        let blocks = (keys + held - 1) / held
        let step = (blocks + Self.partsMax - 1) / Self.partsMax * held
        guard step > 0 else { return [] }
        return stride(from: 0, to: keys, by: step).map { $0..<min($0 + step, keys) }
    }

    private func items(_ parts: [[Range<Int>]]) -> [AttentionItems.Item] {
        let items = (0..<segments.count).flatMap { index -> [AttentionItems.Item] in
            let queries = segments.queryRows(of: index)
            let keys = segments.keyRows(of: index)
            return parts[index].enumerated().map { slot, part in
                var item = AttentionItems.Item(query: queries.lowerBound, queries: queries.count)
                item.keyPlace = keys.lowerBound
                item.seen = shapes.causal ? keys.count - queries.count + 1 : keys.count
                item.keys = part
                item.sums = slot
                return item
            }
        }
        return items.sorted { $0.cost > $1.cost }
    }
}
