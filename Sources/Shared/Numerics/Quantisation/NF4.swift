internal import CKernels

/// The four-bit normal floats of bitsandbytes, bit for bit: w ≈ table[code] · absmax, with an
/// absmax for each 64 elements of all rows in one sequence.
package struct NF4Weight: Sendable {
    package let shape: Shape
    /// Two codes a byte, the first in the high half; a last half byte holds the code of 0.
    package let codes: Tensor
    /// float32, `[⌈count / 64⌉]`
    package let absmax: Tensor

    package static let block = 64

    /// What the codes stand for, ascending.
    package static let table: [Float] = [
        -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
        -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
        0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
        0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
    ]

    package init(shape: Shape, codes: Tensor, absmax: Tensor) {
        precondition(
            shape.rank == 2 && codes.type == .uint8
                && codes.byteCount == shape.count.divided(by: 2) && absmax.type == .float32
                && absmax.shape.count == shape.count.divided(by: NF4Weight.block),
            "nf4: \(shape), codes \(codes.shape) of \(codes.type), absmax \(absmax.shape)")
        (self.shape, self.codes, self.absmax) = (shape, codes, absmax)
    }

    /// Where the absmax themselves are quantised.
    package init(shape: Shape, codes: Tensor, absmax: NF4Absmax) {
        let expanded = absmax.expanded()
        self.init(
            shape: shape, codes: codes,
            absmax: Tensor(expanded, [expanded.count], on: codes.backend))
    }

    /// - Parameter w: `[out, in]`
    package init(quantising w: Tensor) {
        precondition(w.shape.rank == 2 && w.type.isFloat, "nf4: \(w.shape) of \(w.type)")
        shape = w.shape
        let blocks = w.shape.count.divided(by: NF4Weight.block)
        codes = .empty([w.shape.count.divided(by: 2)], .uint8, on: w.backend)
        absmax = .empty([blocks], .float32, on: w.backend)
        let midpoints = zip(NF4Weight.table, NF4Weight.table.dropFirst()).map { ($0 + $1) / 2 }
        w.backend.enqueue(
            Launch(
                Kernel(CK_quantise_nf4_f32, for: w.type),
                [
                    codes.write, absmax.write, w.read,
                    Tensor(midpoints, [midpoints.count], on: w.backend).read,
                ],
                numbers: [w.shape.count, NF4Weight.block], units: blocks,
                grain: Launch.grain(elements: NF4Weight.block)))
    }
}

extension NF4Weight {
    /// The same codes with the absmax that double quantisation makes of these.
    package func nested() -> NF4Weight {
        NF4Weight(shape: shape, codes: codes, absmax: NF4Absmax(quantising: absmax.floats()))
    }
}

extension FrozenWeight {
    /// Packs a weight of normal floats.
    /// - Parameter format: what it says it is: `nf4` or `nf4Nested`
    package init(_ w: NF4Weight, as format: WeightFormat = .nf4) {
        // Blocks cross the ends of rows; a divisor of both lengths makes groups that do not.
        let group = NF4Weight.commonDivisor(w.shape[1], NF4Weight.block)
        self.init(
            format,
            Lut4Codes(
                shape: w.shape, codes: w.codes, scales: w.absmax, group: group,
                block: NF4Weight.block, table: NF4Weight.table))
    }
}

extension NF4Weight {
    fileprivate static func commonDivisor(_ a: Int, _ b: Int) -> Int {
        b == 0 ? max(a, 1) : commonDivisor(b, a % b)
    }
}

/// Absmax values as bitsandbytes' double quantisation keeps them, on the host:
/// absmax = map[code] · nested[i / 256] + offset.
package struct NF4Absmax: Sendable, Equatable {
    package let codes: [UInt8]
    package let nested: [Float]
    package let offset: Float
    package let map: [Float]

    package static let block = 256

    package init(codes: [UInt8], nested: [Float], offset: Float, map: [Float] = signedMap) {
        precondition(
            map.count == 256 && nested.count == codes.count.divided(by: NF4Absmax.block),
            "nf4: \(codes.count) absmax, \(nested.count) nested, map of \(map.count)")
        (self.codes, self.nested, self.offset, self.map) = (codes, nested, offset, map)
    }

    /// Quantises: the offset is the mean, and each code that of bitsandbytes.
    package init(quantising absmax: [Float]) {
        let map = NF4Absmax.signedMap
        let mean = absmax.reduce(0.0) { $0 + Double($1) } / Double(max(absmax.count, 1))
        offset = Float(mean)
        self.map = map
        let blocks = absmax.count.divided(by: NF4Absmax.block)
        var (nested, codes): ([Float], [UInt8]) = ([], [])
        for block in 0..<blocks {
            let first = block * NF4Absmax.block
            let values = absmax[first..<min(first + NF4Absmax.block, absmax.count)]
                .map { $0 - Float(mean) }
            let largest = values.reduce(0) { max($0, abs($1)) }
            nested.append(largest)
            codes += values.map { NF4Absmax.nearest(largest > 0 ? $0 / largest : 0, in: map) }
        }
        (self.nested, self.codes) = (nested, codes)
    }

    /// The absmax that the codes stand for.
    package func expanded() -> [Float] {
        codes.enumerated().map { index, code in
            map[Int(code)] * nested[index / NF4Absmax.block] + offset
        }
    }

    /// The signed dynamic map of bitsandbytes: seven decades of midpoints, more of them the larger
    /// the decade; 0 and 1; no -1.
    package static let signedMap: [Float] = {
        var entries: [Float] = [0, 1]
        for (decade, size) in [Float(1e-6), 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1].enumerated() {
            let count = 1 << decade
            let step = (1 - Float(0.1)) / Float(count)
            // As torch.linspace: from both ends towards the middle, rounded once.
            let edges = (0...count).map { i in
                i < (count + 1) / 2
                    ? Float(0.1).addingProduct(step, Float(i))
                    : Float(1).addingProduct(-step, Float(count - i))
            }
            for (low, high) in zip(edges, edges.dropFirst()) {
                entries += [size * ((low + high) / 2), -size * ((low + high) / 2)]
            }
        }
        return entries.sorted()
    }()

    /// The entry nearest to a number of -1 to 1 after that is put on a grid of 65,536 steps, as
    /// bitsandbytes' encoder for processors does; of two that are as near the lower one.
    private static func nearest(_ value: Float, in map: [Float]) -> UInt8 {
        let step = ((value + 1) * 32767.5 + 0.5).rounded(.down)
        let place = step / 32767.5 - 1
        var (low, high) = (0, map.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if (map[middle] + map[middle + 1]) * 0.5 < place {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return UInt8(low)
    }
}
