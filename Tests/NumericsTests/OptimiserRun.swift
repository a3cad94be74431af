import Foundation
import Numerics
import Testing

/// The golden trajectories of the optimisers, and runs to compare with them.
struct OptimiserGoldens {
    static let small = ["first.weight", "first.bias", "second.weight", "scale"]

    let file: GoldenFile
    let factors: [Float]

    init() throws {
        file = try GoldenFile(GoldenFile.folder.appending(path: "optimisers.safetensors"))
        let parsed = try JSONSerialization.jsonObject(
            with: Data((file.metadata["factors"] ?? "").utf8))
        factors = try #require(parsed as? [Double]).map(Float.init)
    }

    var steps: Int { factors.count }

    func values(_ name: String) throws -> OpCase.Values {
        OpCase.Values(try #require(file.tensor(name), "\(name)"))
    }

    func floats(_ name: String) throws -> [Float] { try values(name).floats }

    func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try #require(file.tensor(name), "\(name)").bytes)
    }

    func parameters(
        _ names: [String], _ type: DType = .float32, on backend: any Backend
    ) throws -> NamedTensors {
        NamedTensors(
            try names.map { name in
                let values = try values("\(name)/start")
                return (name, OpCase.tensor(values, on: backend, as: type))
            })
    }

    /// The gradient of a step: the stored one rotated by 7 places a step, times the step's factor.
    func gradients(
        _ names: [String], step: Int, _ type: DType = .float32, on backend: any Backend
    ) throws -> NamedTensors {
        NamedTensors(
            try names.map { name in
                var values = try values("\(name)/gradient")
                let (base, count) = (values.floats, values.floats.count)
                for i in 0..<count {
                    values.floats[(i + 7 * step) % count] = base[i] * factors[step]
                }
                return (name, OpCase.tensor(values, on: backend, as: type))
            })
    }

    func learningRate(_ step: Int) -> Double { 0.01 * (1 - Double(step) / Double(steps)) }
}

/// Parameters and the state of an optimiser on their way.
struct OptimiserRun {
    let goldens: OptimiserGoldens
    let optimiser: any Optimiser
    var parameters: NamedTensors
    var state: OptimiserState
    var normMax: Float?
    private(set) var norms: [Float] = []

    init(
        _ optimiser: any Optimiser, _ names: [String], _ type: DType = .float32,
        on backend: any Backend
    ) throws {
        goldens = try OptimiserGoldens()
        self.optimiser = optimiser
        parameters = try goldens.parameters(names, type, on: backend)
        state = optimiser.start(parameters)
    }

    /// Takes steps, and calls `after` with the number of each.
    mutating func run(
        _ steps: Range<Int>, after: (Int, NamedTensors) throws -> Void = { _, _ in }
    ) throws {
        for step in steps {
            let backend = try #require(parameters.first { _ in true }?.tensor.backend)
            let type = try #require(parameters.first { _ in true }?.tensor.type)
            let gradients = try goldens.gradients(
                parameters.names, step: step, type, on: backend)
            let norm = normMax.map { GradientNorm(gradients, normMax: $0) }
            optimiser.update(
                &parameters, with: gradients, state: &state,
                learningRate: goldens.learningRate(step), factor: norm?.factor)
            if let norm { norms.append(norm.read().norm) }
            try after(step, parameters)
        }
    }

    /// All bits of parameters and state.
    var bytes: [String: [UInt8]] {
        var all = optimiser.saved(state).tensors.mapValues { $0.bytes() }
        for (name, tensor) in parameters { all[name] = tensor.bytes() }
        return all
    }
}

extension AdamW {
    /// The groups of the golden run: biases have their own learning rate, betas and decay.
    static let golden: AdamW = {
        var options = Options()
        options.weightDecay = 0.1
        return AdamW(
            ParameterGroups(options).group(where: { $0.hasSuffix("bias") }) {
                $0.learningRateFactor = 0.25
                $0.weightDecay = 0
                ($0.firstBeta, $0.secondBeta) = (0.8, 0.95)
            })
    }()

    static let bytes: AdamW = {
        var options = Options()
        options.weightDecay = 0.1
        options.storage = .bytes()
        return AdamW(ParameterGroups(options))
    }()
}

extension SGD {
    static func golden(momentum: Double, isNesterov: Bool) -> SGD {
        var options = Options()
        (options.momentum, options.isNesterov) = (momentum, isNesterov)
        options.weightDecay = 0.1
        return SGD(
            ParameterGroups(options).group(of: ["first.bias"]) {
                $0.learningRateFactor = 0.25
                $0.weightDecay = 0
            })
    }
}

/// The largest distance, relative to the largest golden number.
func distance(_ found: [Float], _ golden: [Float]) -> Float {
    guard found.count == golden.count else { return .infinity }
    let scale = golden.reduce(Float.leastNormalMagnitude) { max($0, abs($1)) }
    return zip(found, golden).reduce(0) { worst, pair in
        let distance = abs(pair.0 - pair.1) / scale
        return distance.isNaN ? .infinity : max(worst, distance)
    }
}
