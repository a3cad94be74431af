import Foundation
import Numerics
import Testing

@Suite struct OptimiserTests {
    static let rules: [any Optimiser] = [
        AdamW.golden, AdamW.bytes, SGD.golden(momentum: 0.9, isNesterov: true), SGD(),
    ]
    static let names = OptimiserGoldens.small + ["large.weight"]

    @Test(arguments: rules.indices, [DType.float32, .bfloat16])
    func aSavedAndRestoredRunGoesOnWithTheSameBits(rule: Int, type: DType) throws {
        let backend = try CPUBackend(threads: 2)
        let optimiser = OptimiserTests.rules[rule]
        var straight = try OptimiserRun(optimiser, OptimiserTests.names, type, on: backend)
        straight.normMax = 20
        var half = straight
        try straight.run(0..<10)
        try half.run(0..<5)

        let saved = optimiser.saved(half.state)
        let numbers = try JSONDecoder().decode(
            SavedOptimiserState.self, from: JSONEncoder().encode(saved.numbers))
        let other = try CPUBackend(threads: 1)
        var resumed = half
        resumed.parameters = half.parameters.mapValues { $0.copied(to: other) }
        resumed.state = try optimiser.restored(
            numbers, saved.tensors.mapValues { $0.copied(to: other) }, for: resumed.parameters)
        try resumed.run(5..<10)
        #expect(resumed.bytes == straight.bytes)
    }

    @Test(arguments: rules.indices)
    func theNumberOfThreadsAndTheDeviceChangeNoBit(rule: Int) throws {
        func bytes(on backend: any Backend) throws -> [String: [UInt8]] {
            var run = try OptimiserRun(
                OptimiserTests.rules[rule], OptimiserTests.names, on: backend)
            run.normMax = 20
            try run.run(0..<3)
            return run.bytes
        }
        let alone = try bytes(on: CPUBackend(threads: 1))
        #expect(try alone == bytes(on: CPUBackend(threads: 3)))
        #expect(try alone == bytes(on: CheckingBackend(CPUBackend(threads: 2))))
    }

    @Test(arguments: [DType.float32, .bfloat16])
    func anUpdateNeedsMemoryForOneTensorMore(type: DType) throws {
        let backend = try CPUBackend(threads: 1)
        let (tensors, count) = (16, 1 << 16)
        func filled(_ value: Float) -> NamedTensors {
            NamedTensors(
                (0..<tensors).map { ("\($0)", .filled(value, [count], type, on: backend)) })
        }
        let gradients = filled(0.5)
        var parameters = filled(1)
        var state = AdamW().start(parameters)
        AdamW().update(&parameters, with: gradients, state: &state, learningRate: 0.1)
        let before = backend.memoryUse.live
        backend.resetMemoryMax()
        AdamW().update(&parameters, with: gradients, state: &state, learningRate: 0.1)
        let oneTensor = count * (12 + (type == .float32 ? 0 : 2))
        #expect(backend.memoryUse.liveMax - before <= oneTensor + 16_384)
        withExtendedLifetime(gradients) { #expect(backend.memoryUse.live == before) }
    }

    @Test func eightBitStateTakesAQuarterOfTheMemory() throws {
        let backend = try CPUBackend(threads: 1)
        let parameters = NamedTensors([
            ("large", .filled(1, [256, 256], on: backend)),
            ("small", .filled(1, [4095], on: backend)),
        ])
        #expect(AdamW().start(parameters).byteCount == 8 * (65_536 + 4095))
        let bytes = AdamW.bytes.start(parameters).byteCount
        #expect(bytes == 2 * (65_536 + 4 * 256) + 8 * 4095)
    }

    @Test func aParameterWithoutAGradientStaysAndCountsNoUpdate() throws {
        let backend = try CPUBackend(threads: 1)
        var run = try OptimiserRun(AdamW(), OptimiserGoldens.small, on: backend)
        let before = run.parameters
        var gradients = try run.goldens.gradients(OptimiserGoldens.small, step: 0, on: backend)
        gradients["scale"] = nil
        run.optimiser.update(
            &run.parameters, with: gradients, state: &run.state, learningRate: 0.1)
        #expect(run.parameters["scale"]?.floats() == before["scale"]?.floats())
        #expect(run.parameters["first.bias"]?.floats() != before["first.bias"]?.floats())
        let updates = run.optimiser.saved(run.state).numbers.updates
        #expect(updates["scale"] == 0 && updates["first.bias"] == 1)
    }

    @Test func stepsBelowHalfAUnitOfTheLastPlaceAddUpInHalfPrecision() throws {
        let backend = try CPUBackend(threads: 1)
        var parameters = NamedTensors([("p", .filled(1, [4], .bfloat16, on: backend))])
        let gradients = NamedTensors([("p", .filled(1, [4], .bfloat16, on: backend))])
        var state = SGD().start(parameters)
        for _ in 0..<100 {
            SGD().update(&parameters, with: gradients, state: &state, learningRate: 1e-3)
        }
        #expect(parameters["p"]?.floats() == [0.8984375, 0.8984375, 0.8984375, 0.8984375])
    }

    @Test func gradientsOfAForwardPassReachTheirParametersByName() throws {
        let backend = try CPUBackend(threads: 1)
        var parameters = NamedTensors([
            ("a", Tensor([1, 2], [2], on: backend)), ("b", Tensor([3, 4], [2], on: backend)),
        ])
        let tracked = parameters.tracked()
        let gradients = try #require(tracked["a"]).sum().gradients().named(by: tracked)
        var state = SGD().start(parameters)
        SGD().update(&parameters, with: gradients, state: &state, learningRate: 1)
        #expect(gradients.names == ["a"])
        #expect(parameters["a"]?.floats() == [0, 1])
        #expect(parameters["b"]?.floats() == [3, 4])
    }

    @Test func anEarlierGroupWinsOverALaterOne() {
        var base = SGD.Options()
        base.momentum = 0.5
        let groups = ParameterGroups(base)
            .group(of: ["a"]) { $0.weightDecay = 1 }
            .group(where: { _ in true }) { $0.weightDecay = 2 }
        #expect(groups.options(of: "a").weightDecay == 1)
        #expect(groups.options(of: "b").weightDecay == 2)
        #expect(groups.options(of: "b").momentum == 0.5)
    }
}

@Suite struct SavedStateTests {
    let backend: CPUBackend
    let parameters: NamedTensors
    let saved: (numbers: SavedOptimiserState, tensors: [String: Tensor])

    init() throws {
        backend = try CPUBackend(threads: 1)
        parameters = NamedTensors([("p", .filled(1, [3, 2], on: backend))])
        saved = AdamW().saved(AdamW().start(parameters))
    }

    private func expect(
        _ error: SavedStateError, _ message: String,
        numbers change: (inout SavedOptimiserState) -> Void = { _ in },
        tensors replace: (inout [String: Tensor]) -> Void = { _ in }
    ) {
        var (numbers, tensors) = saved
        change(&numbers)
        replace(&tensors)
        #expect(throws: error) {
            try AdamW().restored(numbers, tensors, for: parameters)
        }
        #expect(error.message.contains(message))
    }

    @Test func aStateOfAnotherOptimiserIsRefused() {
        expect(.otherOptimiser(saved: "sgd", wanted: "adamw"), "'sgd'") { $0.optimiser = "sgd" }
    }

    @Test func aMissingTensorIsNamedWithWhatIsWanted() {
        let layout = StateLayout(shape: [3, 2], type: .float32)
        expect(
            .tensorMissing("p.mean", wanted: layout), "'p.mean'; [3, 2] of float32",
            tensors: { $0["p.mean"] = nil })
    }

    @Test func aTensorOfAnotherShapeOrTypeIsNamedWithBoth() {
        let wanted = StateLayout(shape: [3, 2], type: .float32)
        for found in [
            StateLayout(shape: [2, 3], type: .float32),
            StateLayout(shape: [3, 2], type: .bfloat16),
        ] {
            expect(
                .tensorDoesNotFit("p.square", found: found, wanted: wanted), "\(found)",
                tensors: {
                    $0["p.square"] = .filled(0, found.shape, found.type, on: backend)
                })
        }
    }

    @Test func aTensorThatBelongsToNothingIsRefused() {
        expect(
            .tensorUnknown("q.mean"), "'q.mean'",
            tensors: { $0["q.mean"] = .filled(0, [1], on: backend) })
        expect(.tensorUnknown("q"), "'q'") { $0.updates["q"] = 1 }
    }

    @Test func aMissingOrImpossibleCountIsRefused() {
        expect(.countMissing("p"), "'p'") { $0.updates = [:] }
        expect(.countInvalid("p", -1), "-1") { $0.updates["p"] = -1 }
        expect(.countInvalid("p", .max), "\(Int.max)") { $0.updates["p"] = .max }
    }
}

extension Tensor {
    func copied(to backend: any Backend) -> Tensor {
        bytes().withUnsafeBytes { Tensor(bytes: $0, shape: shape, type: type, on: backend) }
    }
}
