import Numerics
import Testing

/// The op table against PyTorch, itself and finite differences.
@Suite struct OpGoldenTests {
    /// How far from the golden values a type may be, relative to their size.
    static let tolerances: [(type: DType, tolerance: Float)] = [
        (.float32, 1e-5), (.bfloat16, 2e-2), (.float16, 4e-3),
    ]

    @Test func thereAreCasesForEveryRow() {
        #expect(Set(OpCase.all.map(\.op)) == Set(OpTable.ops.keys))
    }

    @Test(arguments: OpCase.all)
    func everyTierAndTypeGivesTheGoldenValues(op: OpCase) throws {
        for tier in CPUBackend.Tier.available {
            let backend = try CPUBackend(tier: tier, threads: 2)
            for (type, tolerance) in OpGoldenTests.tolerances {
                let run = op.run(on: backend, as: type)
                #expect(run.out.shape.extents == op.out.shape)
                expect(run.out.floats(), near: op.out.floats, tolerance, "out, \(tier), \(type)")
                for (name, golden) in op.gradients {
                    let found = run.gradients[name]?.floats() ?? []
                    expect(found, near: golden.floats, tolerance, "d.\(name), \(tier), \(type)")
                }
            }
        }
    }

    @Test(arguments: OpCase.all)
    func theNumberOfThreadsChangesNoBit(op: OpCase) throws {
        let alone = OpCase.bytes(op.run(on: try CPUBackend(threads: 1), as: .float32))
        for threads in [2, 3] {
            #expect(
                alone == OpCase.bytes(op.run(on: try CPUBackend(threads: threads), as: .float32)))
        }
    }

    @Test(arguments: OpCase.all)
    func noOpTouchesMemoryOfTheDevice(op: OpCase) throws {
        let cpu = try CPUBackend(threads: 2)
        let checking = CheckingBackend(cpu)
        let expected = OpCase.bytes(op.run(on: cpu, as: .float32))
        #expect(expected == OpCase.bytes(op.run(on: checking, as: .float32)))
    }

    @Test(arguments: OpCase.all.filter { $0.dout != nil })
    func gradientsMatchFiniteDifferences(op: OpCase) throws {
        let backend = try CPUBackend(threads: 1)
        let found = op.run(on: backend, as: .float32).gradients
        for (name, gradient) in found {
            let exact = op.slope(along: gradient.floats(), of: name, on: backend)
            let norm = gradient.floats().reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
            #expect(abs(exact - norm) <= 2e-2 * max(norm, 1e-2), "\(name): \(exact), \(norm)")
        }
    }

    private func expect(
        _ found: [Float], near golden: [Float], _ tolerance: Float, _ what: String
    ) {
        #expect(found.count == golden.count, "\(what)")
        let scale = golden.reduce(0) { max($0, abs($1)) }
        let worst = zip(found, golden).reduce(Float(0)) { worst, pair in
            let distance = abs(pair.0 - pair.1)
            return distance.isNaN ? .infinity : max(worst, distance)
        }
        #expect(worst <= tolerance * max(scale, 0.05), "\(what): off by \(worst) of \(scale)")
    }
}

extension OpCase {
    static func bytes(_ run: (out: Tensor, gradients: [String: Tensor])) -> [[UInt8]] {
        [run.out.bytes()] + run.gradients.sorted { $0.key < $1.key }.map { $0.value.bytes() }
    }

    /// The slope of `out · dout` when one input moves along a direction (made one long), measured
    /// by a step to both sides.
    func slope(along direction: [Float], of input: String, on backend: any Backend) -> Double {
        let length = direction.reduce(Float(0)) { $0 + $1 * $1 }.squareRoot()
        guard length > 0, let place = inputs.firstIndex(where: { $0.name == input }), let dout
        else { return 0 }
        let step: Float = 1e-2
        func value(_ sign: Float) -> Double {
            var moved = inputs
            for i in direction.indices {
                moved[place].values.floats[i] += sign * step * direction[i] / length
            }
            let copy = OpCase(
                name: name, op: op, inputs: moved, attributes: attributes, out: out, dout: nil,
                gradients: [:])
            let y = copy.run(on: backend, as: .float32).out.floats()
            return zip(y, dout.floats).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        return (value(1) - value(-1)) / Double(2 * step)
    }
}
