import Numerics
import Testing

/// Weights of GPTQ whose groups are of inputs from here and there, against plain weights of the
/// same values.
@Suite struct InputOrderTests {
    enum Order: CaseIterable { case shuffled, shorterLastGroup, uneven }

    private func layout(
        _ order: Order, out: Int = 40, width: Int = 128
    ) throws -> (layout: Int4Layout, groups: [Int32]) {
        var random = Stream(state: UInt64(width))
        let groups = order == .shorterLastGroup ? 3 : 4
        let size = order == .shorterLastGroup ? width * 3 / 8 : width / 4
        var inputs = (0..<width).map { Int32($0 / size) }
        inputs.shuffle(using: &random)
        if order == .uneven { inputs = inputs.map { $0 == 3 ? Int32(1) : $0 } }
        func words(_ count: Int) -> [Int32] {
            (0..<count).map { _ in Int32(truncatingIfNeeded: random.next()) }
        }
        let scales = (0..<groups * out).map { _ in Float.random(in: 0.01..<0.1, using: &random) }
        let layout = try Int4Layout(
            .gptq(version: 1), out: out, width: width,
            words: (words(out * width / 8), words(groups * out / 8)),
            scales: scales.map { Float(Float16($0)) }, groupOfInput: inputs)
        return (layout, inputs)
    }

    /// A generator that a number determines.
    private struct Stream: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state ^ state >> 29) &* 0xBF58_476D_1CE4_E5B9
        }
    }

    private func value(_ layout: Int4Layout, _ groups: [Int32], row: Int, input: Int) -> Float {
        func nibble(_ word: Int32, _ place: Int) -> Float {
            Float(UInt32(bitPattern: word) >> UInt32(4 * place) & 15)
        }
        let (group, out) = (Int(groups[input]), layout.out)
        let code = nibble(layout.weightWords[input / 8 * out + row], input % 8)
        let zero = nibble(layout.zeroWords[group * (out / 8) + row / 8], row % 8) + 1
        return (code - zero) * layout.scales[group * out + row]
    }

    @Test(arguments: Order.allCases) func valuesAreInTheOrderOfTheLayer(order: Order) throws {
        let backend = try CPUBackend(threads: 2)
        let (layout, groups) = try layout(order)
        let found = layout.frozen(on: backend)
        let expected = (0..<layout.out * layout.width).map { index in
            value(layout, groups, row: index / layout.width, input: index % layout.width)
        }
        guard order == .uneven else {
            let group = order == .shuffled ? 32 : 48
            #expect(found.format == .int4(group: group, asymmetric: true))
            #expect(found.dequantised(to: .float32).floats() == expected)
            return
        }
        #expect(found.format == .float16)
        let rounded = expected.map { Float(Float16($0)) }
        #expect(found.dequantised(to: .float32).floats() == rounded)
    }

    @Test func itTakesAboutFourBitsAnInput() throws {
        let backend = try CPUBackend(threads: 2)
        let weight = try layout(.shuffled, out: 64, width: 2048).layout.frozen(on: backend)
        #expect(weight.byteCount < 64 * 2048 * 3 / 4)
    }

    @Test(arguments: CPUBackend.Tier.available, Order.allCases)
    func aLinearLayerActsLikeItsValues(tier: CPUBackend.Tier, order: Order) throws {
        let backend = try CPUBackend(tier: tier, threads: 2)
        for (out, width) in [(8, 8), (40, 128), (72, 1032)] {
            let weight = try layout(order, out: out, width: width).layout.frozen(on: backend)
            let plain = weight.dequantised(to: .float32)
            for (rows, type) in [(1, DType.bfloat16), (3, .bfloat16), (19, .bfloat16)] + [
                (1, .float32), (4, .float32), (19, .float32), (5, .float16),
            ] {
                let x = LinearTests.random([rows, width], 2, on: backend).converted(to: type)
                let dy = LinearTests.random([rows, out], 3, on: backend).converted(to: type)
                let low = LowRank(
                    down: LinearTests.random([4, width], 4, on: backend).tracked(),
                    up: LinearTests.random([out, 4], 5, on: backend).tracked(), scale: 0.5)
                let bias = LinearTests.random([out], 6, on: backend)
                let (a, b) = (x.tracked(), x.tracked())
                let y = a.linear(.frozen(weight), bias: bias, lowRank: low)
                let z = b.linear(.plain(plain), bias: bias, lowRank: low)
                let tolerance: Float = type == .float32 ? 4e-6 : type == .float16 ? 2e-3 : 1.5e-2
                expectNear(y, z, tolerance)
                let (found, golden) = (y.gradients(seed: dy), z.gradients(seed: dy))
                expectNear(found[a], golden[b], tolerance)
                expectNear(found[low.down], golden[low.down], tolerance)
                expectNear(found[low.up], golden[low.up], tolerance)
                let last = x.rowRange(rows - 1..<rows).linear(.frozen(weight), bias: bias)
                let all = x.linear(.frozen(weight), bias: bias)
                #expect(last.bytes() == all.rowRange(rows - 1..<rows).bytes())
            }
        }
    }

    @Test func adaptersOfRowsSeeTheLayersInputs() throws {
        let backend = try CPUBackend(threads: 2)
        let weight = try layout(.shuffled).layout.frozen(on: backend)
        let x = LinearTests.random([6, 128], 2, on: backend)
        let adapter = LowRank(
            down: LinearTests.random([4, 128], 4, on: backend),
            up: LinearTests.random([40, 4], 5, on: backend), scale: 0.5)
        let parts = [AdapterRows(rows: 1..<4, adapter: adapter)]
        let plain = LinearWeight.plain(weight.dequantised(to: .float32))
        expectNear(
            x.linear(.frozen(weight), adapters: parts), x.linear(plain, adapters: parts), 4e-6)
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
