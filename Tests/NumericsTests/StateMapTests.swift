import Numerics
import Testing

@Suite struct StateMapTests {
    /// With betas of 0 the stored means are the last gradient and its square.
    @Test(arguments: CPUBackend.Tier.available)
    func everyNumberIsStoredAsTheNearestEntry(tier: CPUBackend.Tier) throws {
        let backend = try CPUBackend(tier: tier, threads: 1)
        var options = AdamW.Options()
        (options.firstBeta, options.secondBeta, options.storage) = (0, 0, .bytes(elementsMin: 0))
        let rule = AdamW(ParameterGroups(options))
        let entries = try #require(rule.tables(on: backend).first).floats()
        var values = StateMapTests.values(around: Array(entries.prefix(256)))
        values += Array(repeating: 0, count: 255 - values.count % 255)
        // A block of 255 numbers and the 1 that makes its scale 1.
        let blocks: [Float] = stride(from: 0, to: values.count, by: 255)
            .flatMap { (start: Int) -> [Float] in values[start..<start + 255] + [1] }
        var parameters = NamedTensors([("p", .filled(0, [blocks.count], on: backend))])
        let gradients = NamedTensors([("p", Tensor(blocks, [blocks.count], on: backend))])
        var state = rule.start(parameters)
        rule.update(&parameters, with: gradients, state: &state, learningRate: 0)
        let saved = rule.saved(state).tensors
        let means = try #require(saved["p.meanCodes"]).bytes().map { entries[Int($0)] }
        let squares = try #require(saved["p.squareCodes"]).bytes().map { entries[256 + Int($0)] }
        let (signed, unsigned) = (Array(entries.prefix(256)), Array(entries[257..<512]))
        for (place, value) in blocks.enumerated() {
            #expect(isNearest(means[place], to: value, in: signed), "\(value)")
            let square = value * value
            if square == 0 {
                #expect(squares[place] == 0)
            } else {
                #expect(isNearest(squares[place], to: square, in: unsigned), "\(square)")
            }
        }
    }

    /// The entries, the numbers half-way between them, their neighbours, roots and tiny numbers.
    private static func values(around entries: [Float]) -> [Float] {
        let middles = zip(entries, entries.dropFirst()).map { ($0 + $1) / 2 }
        let near = (entries + middles).flatMap { [$0, $0.nextUp, $0.nextDown] }
        let tiny: [Float] = [1e-8, -1e-8, 1e-12, 6e-8, -6e-8, 2.7e-7, 2.8e-7, -0.0]
        return (near + near.map { abs($0).squareRoot() } + tiny).filter { abs($0) <= 1 }
    }

    private func isNearest(_ found: Float, to value: Float, in entries: [Float]) -> Bool {
        let least = entries.reduce(Float.infinity) { min($0, abs($1 - value)) }
        return abs(found - value) <= least + 2 * value.ulp
    }
}
