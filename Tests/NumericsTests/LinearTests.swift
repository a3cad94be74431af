import Base
import CKernels
import Numerics
import Testing

/// Every weight format against a plain weight of the same values, and the promises on bits.
@Suite struct LinearTests {
    static let formats: [WeightFormat] = [
        .float32, .bfloat16, .float16, .int8, .int4(group: 32, asymmetric: false),
        .int4(group: 16, asymmetric: true), .int4(group: 24, asymmetric: true), .nf4,
    ]
    static let shapes = [(1, 1), (17, 33), (33, 129), (64, 96), (40, 600)]

    static func random(_ shape: Shape, _ seed: UInt64, on backend: any Backend) -> Tensor {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
        let values = (0..<shape.count).map { _ -> Float in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int64(bitPattern: state) >> 40) / Float(1 << 23)
        }
        return Tensor(values, shape, on: backend)
    }

    @Test(arguments: formats, CPUBackend.Tier.available)
    func aFrozenWeightActsLikeItsValues(format: WeightFormat, tier: CPUBackend.Tier) throws {
        let backend = try CPUBackend(tier: tier, threads: 2)
        for (out, width) in LinearTests.shapes {
            let w = LinearTests.random([out, width], 1, on: backend)
            let frozen = FrozenWeight(w, as: format)
            for type in [DType.float32, .bfloat16, .float16] {
                let x = LinearTests.random([19, width], 2, on: backend).converted(to: type)
                let dy = LinearTests.random([19, out], 3, on: backend).converted(to: type)
                let plain = frozen.dequantised(to: .float32)
                let (a, b) = (x.tracked(), x.tracked())
                let (y, z) = (a.linear(.frozen(frozen)), b.linear(.plain(plain)))
                let tolerance: Float = type == .float32 ? 2e-6 : type == .float16 ? 2e-3 : 1.5e-2
                expectNear(y, z, tolerance)
                expectNear(y.gradients(seed: dy)[a], z.gradients(seed: dy)[b], tolerance)
            }
        }
    }

    @Test(arguments: formats, CPUBackend.Tier.available)
    func aRowAloneHasTheBitsItHasAmongOthers(format: WeightFormat, tier: CPUBackend.Tier) throws {
        let (one, two) = (
            try CPUBackend(tier: tier, threads: 1), try CPUBackend(tier: tier, threads: 2)
        )
        for type in [DType.float32, .bfloat16] {
            for (out, width) in [(70, 600), (130, 1040)] {
                func rows(_ backend: CPUBackend, _ range: Range<Int>) -> [UInt8] {
                    let w = LinearTests.random([out, width], 1, on: backend)
                    let x = LinearTests.random([64, width], 2, on: backend).converted(to: type)
                    let frozen = FrozenWeight(w, as: format)
                    return x.rowRange(range).linear(.frozen(frozen)).bytes()
                }
                let all = rows(two, 0..<64)
                let rowBytes = all.count / 64
                for range in [0..<1, 63..<64, 9..<12, 5..<12, 20..<37] {
                    let part = all[range.lowerBound * rowBytes..<range.upperBound * rowBytes]
                    #expect(rows(one, range) == Array(part), "\(type), \(width), rows \(range)")
                }
            }
        }
    }

    @Test func rowsOfManyAdaptersHaveTheBitsTheyHaveAlone() throws {
        let backend = try CPUBackend(threads: 2)
        for type in [DType.float32, .bfloat16] {
            let w = LinearTests.random([70, 130], 1, on: backend)
            let weight = LinearWeight.frozen(FrozenWeight(w, as: .int8))
            let x = LinearTests.random([20, 130], 2, on: backend).converted(to: type)
            let adapters = [(0..<3, 4), (3..<4, 16), (9..<20, 1)].map { rows, rank in
                AdapterRows(
                    rows: rows,
                    adapter: LowRank(
                        down: LinearTests.random([rank, 130], 3, on: backend),
                        up: LinearTests.random([70, rank], 4, on: backend), scale: 0.5))
            }
            let all = x.linear(weight, adapters: adapters)
            for part in adapters {
                let alone = x.rowRange(part.rows).linear(weight, lowRank: part.adapter)
                #expect(all.rowRange(part.rows).bytes() == alone.bytes(), "\(type), \(part.rows)")
            }
            #expect(all.rowRange(4..<9).bytes() == x.rowRange(4..<9).linear(weight).bytes())
        }
    }

    @Test(arguments: CPUBackend.Tier.available)
    func aLinearLayerOfBytesIsExactInItsWholeNumbers(tier: CPUBackend.Tier) throws {
        let backend = try CPUBackend(tier: tier, threads: 2)
        for (rows, out, width) in [(1, 1, 1), (19, 33, 129), (64, 70, 1100), (3, 96, 64)] {
            let x = LinearTests.random([rows, width], 1, on: backend)
            let w = Int8Weight(
                quantising: LinearTests.random([out, width], 2, on: backend))
            let bias = LinearTests.random([out], 3, on: backend)
            let y = x.linearOfBytes(FrozenWeight(w), bias: bias)
            let (xs, scales, offsets) = (x.floats(), w.scales.floats(), bias.floats())
            let bytes = w.values.bytes().map { Float(Int8(bitPattern: $0)) }
            var expected: [Float] = []
            for row in 0..<rows {
                let values = xs[row * width..<(row + 1) * width]
                let absmax = values.reduce(0) { max($0, abs($1)) }
                let whole = values.map { ($0 * (127 / absmax)).rounded(.toNearestOrEven) }
                for column in 0..<out {
                    let sum = zip(whole, bytes[column * width..<(column + 1) * width])
                        .reduce(Int32(0)) { $0 + Int32($1.0) * Int32($1.1) }
                    expected.append(
                        Float(sum) * (absmax / 127) * scales[column] + offsets[column])
                }
            }
            expectNear(y, Tensor(expected, [rows, out], on: backend), 1e-6)
            let alone = x.rowRange(rows - 1..<rows).linearOfBytes(FrozenWeight(w), bias: bias)
            #expect(alone.bytes() == y.rowRange(rows - 1..<rows).bytes())
        }
    }

    /// In a process of its own, where no other test holds tiles.
    @Test func aFourBitWeightIsNeverHeldAsNumbersBeyondATile() async {
        await #expect(processExitsWith: .success) {
            let (out, width) = (4096, 11_008)
            let backend = try CPUBackend(threads: 2)
            let key = RandomKey(seed: 1)
            let weight = FrozenWeight(Tensor.normal([out, width], key, on: backend), as: .nf4)
            for rows in [1, 8, 64] {
                let x = Tensor.normal([rows, width], key.child(1), on: backend)
                    .converted(to: .bfloat16).tracked()
                let dy = Tensor.normal([rows, out], key.child(2), on: backend)
                    .converted(to: .bfloat16)
                backend.resetMemoryMax()
                let before = backend.memoryUse.live
                _ = x.linear(.frozen(weight)).gradients(seed: dy)
                // Results and operands packed for products; the weight's numbers would be 90 MB.
                let held = backend.memoryUse.liveMax - before
                precondition(held < 16 * rows * (width + out) + (1 << 20), "\(held) bytes")
                precondition(ck_scratch_bytes_max() < 8 << 20, "tiles: \(ck_scratch_bytes_max())")
            }
        }
    }

    private func expectNear(_ found: Tensor?, _ golden: Tensor?, _ tolerance: Float) {
        let (a, b) = (found?.floats() ?? [], golden?.floats() ?? [])
        let scale = b.reduce(0) { max($0, abs($1)) }
        let worst = zip(a, b).reduce(Float(0)) { worst, pair in
            let distance = abs(pair.0 - pair.1)
            return distance.isNaN ? .infinity : max(worst, distance)
        }
        #expect(a.count == b.count && worst <= tolerance * max(scale, 0.05), "\(worst) of \(scale)")
    }
}
