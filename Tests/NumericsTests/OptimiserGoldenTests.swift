import Foundation
import Numerics
import Testing

/// The optimisers against torch and bitsandbytes.
@Suite struct OptimiserGoldenTests {
    static let rules: [(name: String, optimiser: any Optimiser)] = [
        ("adamw", AdamW.golden),
        ("sgd", SGD.golden(momentum: 0, isNesterov: false)),
        ("sgd.momentum", SGD.golden(momentum: 0.9, isNesterov: false)),
        ("sgd.nesterov", SGD.golden(momentum: 0.9, isNesterov: true)),
    ]

    @Test(arguments: CPUBackend.Tier.available, rules.map(\.name))
    func aRunWithGroupsAndClippingFollowsTorch(tier: CPUBackend.Tier, name: String) throws {
        let rule = try #require(OptimiserGoldenTests.rules.first { $0.name == name })
        let backend = try CPUBackend(tier: tier, threads: 2)
        var run = try OptimiserRun(rule.optimiser, OptimiserGoldens.small, on: backend)
        let goldens = run.goldens
        run.normMax = 20
        try run.run(0..<goldens.steps) { step, parameters in
            for (parameter, tensor) in parameters where [0, 4, 9].contains(step) {
                let golden = try goldens.floats("\(name)/\(parameter).\(step)")
                #expect(distance(tensor.floats(), golden) <= 1e-6, "\(parameter), step \(step)")
            }
        }
        for (step, norm) in run.norms.enumerated() {
            let golden = try goldens.floats("\(name)/norm.\(step)")
            #expect(distance([norm], golden) <= 1e-6, "norm of step \(step)")
        }
    }

    @Test(arguments: CPUBackend.Tier.available)
    func theRunningMeansOfAdamWAreThoseOfTorch(tier: CPUBackend.Tier) throws {
        let backend = try CPUBackend(tier: tier, threads: 2)
        var run = try OptimiserRun(AdamW.golden, OptimiserGoldens.small, on: backend)
        run.normMax = 20
        try run.run(0..<run.goldens.steps)
        for (name, tensor) in run.optimiser.saved(run.state).tensors {
            let golden = try run.goldens.floats("adamw/\(name)")
            #expect(distance(tensor.floats(), golden) <= 1e-6, "\(name)")
        }
    }

    /// The gradients are numbers that bfloat16 has, so the masters see what torch saw.
    @Test(arguments: [DType.bfloat16, .float16])
    func aHalfPrecisionParameterIsItsFloat32MasterRounded(type: DType) throws {
        let backend = try CPUBackend(threads: 2)
        var run = try OptimiserRun(AdamW.golden, OptimiserGoldens.small, type, on: backend)
        run.normMax = 20
        try run.run(0..<run.goldens.steps)
        let saved = run.optimiser.saved(run.state).tensors
        for (name, tensor) in run.parameters {
            let master = try #require(saved["\(name).master"])
            let golden = try run.goldens.floats("adamw/\(name).9")
            #expect(distance(master.floats(), golden) <= 1e-6, "\(name)")
            #expect(tensor.type == type)
            #expect(tensor.bytes() == master.converted(to: type).bytes())
        }
    }

    @Test func theMapsOfEightBitStateHaveTheBitsOfBitsandbytes() throws {
        let tables = AdamW.bytes.tables(on: try CPUBackend(threads: 1))
        let golden = try OptimiserGoldens().floats("eight/maps")
        let found = try #require(tables.first).floats().prefix(512)
        #expect(zip(found, golden).allSatisfy { $0 == $1 } && golden.count == 512)
    }

    /// A mean on the border of two codes may go either way with its last bit, and takes a few of
    /// the later steps with it; all else is as exact as the float32 run.
    @Test(arguments: CPUBackend.Tier.available)
    func eightBitStateFollowsTheArithmeticOfBitsandbytes(tier: CPUBackend.Tier) throws {
        let backend = try CPUBackend(tier: tier, threads: 2)
        var run = try OptimiserRun(AdamW.bytes, ["large.weight"], on: backend)
        let goldens = run.goldens
        try run.run(0..<goldens.steps)
        let saved = run.optimiser.saved(run.state).tensors
        for part in ["mean", "square"] {
            let codes = try #require(saved["large.weight.\(part)Codes"]).bytes()
            let golden = try goldens.bytes("eight/\(part)Codes")
            let others = zip(codes, golden).filter { $0 != $1 }
            #expect(codes.count == golden.count && others.count <= codes.count / 500)
            #expect(others.allSatisfy { abs(Int($0) - Int($1)) <= 1 })
            let scales = try #require(saved["large.weight.\(part)Scales"]).floats()
            #expect(distance(scales, try goldens.floats("eight/\(part)Scales")) <= 1e-2)
        }
        let found = try #require(run.parameters["large.weight"]).floats()
        let golden = try goldens.floats("eight/large.weight.9")
        let others = zip(found, golden).filter { abs($0 - $1) > 1e-6 * max(abs($1), 1) }
        #expect(others.count <= found.count / 500)
        #expect(distance(found, golden) <= 1e-3)
    }

    /// The CPU library of bitsandbytes rounds more coarsely than its CUDA kernels.
    @Test func eightBitStateStaysNearTheLibrarysOwnRun() throws {
        let names = ["large.weight", "small.bias"]
        var run = try OptimiserRun(AdamW.bytes, names, on: try CPUBackend(threads: 2))
        let goldens = run.goldens
        try run.run(0..<goldens.steps)
        for name in names {
            let start = try goldens.floats("\(name)/start")
            let golden = try goldens.floats("eight_library/\(name).9")
            let found = try #require(run.parameters[name]).floats()
            let moved = zip(golden, start).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            let off = zip(golden, found).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            let limit: Float = name == "small.bias" ? 1e-5 : 1e-2
            #expect((off / moved).squareRoot() <= limit, "\(name)")
        }
    }
}
