internal import CKernels

/// The numbers that a byte of 8-bit optimiser state stands for: bitsandbytes' dynamic maps, in
/// ascending order, signed for the mean and unsigned for the square (Dettmers, arXiv:1511.04561).
/// Each of seven decades up to 1 is cut into equal intervals, twice as many as the decade below,
/// whose middles are the entries; 0 and 1 are entries too.
enum StateMap {
    static let signed: [Float] = {
        let positive = (0..<7).flatMap { decade in middles(decade, count: 1 << decade) }
        return (positive.map { -$0 } + [0] + positive + [1]).sorted()
    }()

    static let unsigned: [Float] =
        ([0] + (0..<7).flatMap { decade in middles(decade, count: 2 << decade) } + [1]).sorted()

    private static let signedBounds = bounds(signed)

    /// A square that is not 0 must not become 0: the next step would be divided by epsilon.
    private static let unsignedBounds = [0] + bounds(unsigned).dropFirst()

    private static let starts = starts(signedBounds) + starts(unsignedBounds)

    /// The tables of ops/adamw.h: `[4, 256]` entries for mean and square and the upper bounds of
    /// the intervals of numbers that stand for them, and bytes `[2, 2, starts]`.
    static func tables(on backend: any Backend) -> [Tensor] {
        let bytes = starts.withUnsafeBytes {
            Tensor(bytes: $0, shape: [starts.count], type: .uint8, on: backend)
        }
        let floats = signed + unsigned + signedBounds + unsignedBounds
        return [Tensor(floats, [4, 256], on: backend), bytes]
    }

    /// For the upper half of every number's bits, the code of the least number that has it, those
    /// above 0 first.
    private static func starts(_ bounds: [Float]) -> [UInt8] {
        let halves = (0..<UInt32(CK_STATE_STARTS)).map { UInt32(CK_STATE_FIRST) + $0 }
        func code(_ value: Float) -> UInt8 { UInt8(bounds.firstIndex { value <= $0 } ?? 255) }
        // The first place is also that of all smaller numbers.
        let above = halves.enumerated().map { place, half in
            code(place == 0 ? 0 : Float(bitPattern: half << 16))
        }
        return above + halves.map { code(-Float(bitPattern: $0 << 16 | 0xffff)) }
    }

    /// Half-way between neighbours, so that every number stands for the nearest entry.
    private static func bounds(_ entries: [Float]) -> [Float] {
        zip(entries, entries.dropFirst()).map { ($0 + $1) / 2 } + [.infinity]
    }

    /// The middles of `count` equal intervals from a tenth of a decade's top to the top.
    private static func middles(_ decade: Int, count: Int) -> [Float] {
        let tops: [Double] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]
        let edges = (0...count).map { edge($0, of: count) }
        return zip(edges, edges.dropFirst()).map { Float(tops[decade]) * (($0 + $1) / 2) }
    }

    /// From the nearer end and rounded once, as in torch.linspace, so that the bits are the same.
    private static func edge(_ index: Int, of count: Int) -> Float {
        let (start, end) = (Float(0.1), Float(1))
        let step = (end - start) / Float(count)
        return index < (count + 1) / 2
            ? start.addingProduct(step, Float(index))
            : end.addingProduct(-step, Float(count - index))
    }
}
