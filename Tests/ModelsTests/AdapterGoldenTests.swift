import Base
import GoldenModels
import Layers
import Models
import Numerics
import TensorFiles
import Testing
import Text

/// Adapters of the reference set: what they say, how they learn, and what they become.
struct AdapterGoldenTests {
    @Test func thereAreGoldens() {
        #expect(!GoldenAdapter.all.isEmpty, "no adapters in \(GoldenFamily.root)")
    }

    @Test(arguments: GoldenAdapter.all)
    func theLossAndLogitsWithAnAdapterAreTheSame(golden: GoldenAdapter) throws {
        let run = try AdapterRun(golden)
        #expect(run.adapter.parameters.count == run.adapter.sites.tensors.count)
        let pass = Pass().with(run.adapter.bound)
        let expected = try #require(golden.node["loss_with_init_adapter"]?.double)
        let loss = run.loss(pass).floats()[0]
        #expect(abs(Double(loss) - expected) <= 1e-5, "\(loss), not \(expected)")
        guard golden.model.has("\(golden.name)/tensors.safetensors") else { return }
        let logits = run.model.model.logits([run.input], pass).floats()
        let last = try golden.model.tensors("\(golden.name)/tensors.safetensors")
            .floats("logits_last16")
        let expectedLogits = try #require(last)
        let distance = largestDifference(
            Array(logits.suffix(expectedLogits.count)), expectedLogits)
        #expect(distance <= 1e-4, "\(distance)")
    }

    @Test(arguments: GoldenAdapter.all(with: "first_step_grads.safetensors"))
    func theFirstGradientsAreTheSame(golden: GoldenAdapter) throws {
        let run = try AdapterRun(golden)
        let gradients = run.gradients(of: run.adapter.parameters).gradients
        let file = try golden.model.tensors("\(golden.name)/first_step_grads.safetensors")
        // Modules that nothing flows through have no gradient, there and here.
        #expect(Set(gradients.names) == Set(file.tensors.map(\.name)))
        for (name, gradient) in gradients {
            let expected = try #require(try file.floats(name))
            let distance = relativeDistance(gradient.floats(), expected)
            #expect(distance <= 1e-4, "\(name): \(distance)")
        }
    }

    @Test(arguments: GoldenAdapter.all)
    func fiveStepsTakeTheSameWay(golden: GoldenAdapter) throws {
        let run = try AdapterRun(golden)
        let trained = try run.trained(by: GoldenSteps(try #require(golden.node["opt"])))
        let losses = golden.numbers("losses_before_each_step_and_after_last")
        let norms = golden.numbers("grad_norm_before_clip")
        #expect(losses.count == trained.losses.count && norms.count == trained.norms.count)
        for (ours, expected) in zip(trained.losses, losses) {
            #expect(abs(ours - expected) <= 1e-4, "loss \(ours), not \(expected)")
        }
        for (ours, expected) in zip(trained.norms, norms) {
            #expect(abs(ours - expected) <= 1e-4 * expected, "norm \(ours), not \(expected)")
        }
        let final = "\(golden.name)/final/adapter_model.safetensors"
        guard golden.model.has(final) else { return }
        let file = try golden.model.tensors(final)
        #expect(Set(trained.parameters.names) == Set(file.tensors.map(\.name)))
        for (name, tensor) in trained.parameters {
            let expected = try #require(try file.floats(name))
            let distance = relativeDistance(tensor.floats(), expected)
            #expect(distance <= 1e-3, "\(name): \(distance)")
        }
    }

    /// Nothing but the order of computing differs, so no bit may.
    @Test(arguments: GoldenAdapter.all, [Float(0), 0.1])
    func checkpointingChangesNoBit(golden: GoldenAdapter, dropout: Float) throws {
        let run = try AdapterRun(golden)
        let kept = run.gradients(of: run.adapter.parameters, dropout: dropout)
        let again = run.gradients(of: run.adapter.parameters, dropout: dropout, checkpointed: true)
        #expect(kept.loss == again.loss)
        #expect(kept.gradients.names == again.gradients.names)
        for (name, gradient) in kept.gradients {
            #expect(gradient.floats() == again.gradients[name]?.floats(), "\(name)")
        }
    }

    @Test func aSeedRepeatsTrainingToTheBit() throws {
        let golden = try #require(GoldenAdapter.all.first)
        let run = try AdapterRun(golden)
        let steps = try GoldenSteps(try #require(golden.node["opt"]))
        func trained(_ seed: UInt64) throws -> [[Float]] {
            steps.run(run.adapter.parameters) {
                run.gradients(of: $0, dropout: 0.2, checkpointed: true, seed: seed)
            } lossOf: { _ in
                0
            }.parameters.map { $0.tensor.floats() }
        }
        let first = try trained(1)
        #expect(try first == trained(1))
        #expect(try first != trained(2))
    }

    @Test func dropoutIsThatOfItsKey() throws {
        let golden = try #require(GoldenAdapter.all.first)
        let run = try AdapterRun(golden)
        func loss(_ seed: UInt64, _ p: Float = 0.3) -> Double {
            run.gradients(of: run.adapter.parameters, dropout: p, seed: seed).loss
        }
        #expect(loss(1) == loss(1))
        #expect(loss(1) != loss(2))
        #expect(loss(1) != loss(1, 0))
        #expect(loss(1, 0) == loss(2, 0))
    }
}

/// An adapter of a golden set, found by listing it.
struct GoldenAdapter: CustomTestStringConvertible, Sendable {
    let model: GoldenFamily
    /// Its folder within the model's.
    let name: String
    let node: JSONNode

    var testDescription: String { "\(model.description)/\(name)" }

    static let all: [GoldenAdapter] = GoldenFamily.all.flatMap { model in
        model.folders("golden").compactMap { folder in
            let name = "golden/\(folder)"
            guard model.has("\(name)/init/adapter_config.json"),
                let node = try? model.json("\(name)/info.json")
            else { return nil }
            return GoldenAdapter(model: model, name: name, node: node)
        }
    }

    static func all(with file: String) -> [GoldenAdapter] {
        all.filter { $0.model.has("\($0.name)/\(file)") }
    }

    func numbers(_ name: String) -> [Double] {
        node[name]?.elements.compactMap(\.double) ?? []
    }
}

/// A model, an adapter for it and the conversation that it learns.
struct AdapterRun: Sendable {
    let model: LoadedModel
    let adapter: Adapter
    let input: ModelInput

    init(_ golden: GoldenAdapter) throws {
        let name = try #require(golden.node["case"]?.string)
        try self.init(
            golden.model, adapter: "\(golden.name)/init", case: name,
            golden.model.load(on: cpu))
    }

    init(
        _ family: GoldenFamily, adapter: String, case name: String, _ model: LoadedModel
    ) throws {
        let one = try family.cases().first { $0.name == name }
        self.model = model
        self.adapter = try Adapter(folder: "\(family.folder)/\(adapter)", for: model)
        input = try #require(one).input(model)
    }

    /// The mean over the tokens that are learned.
    func loss(_ pass: Pass) -> Tensor {
        let loss = model.model.loss([input], pass)
        return loss.sum * (1 / Float(loss.tokens))
    }

    func gradients(
        of parameters: NamedTensors, dropout: Float = 0, checkpointed: Bool = false,
        seed: UInt64 = 1
    ) -> (loss: Double, gradients: NamedTensors) {
        let tracked = parameters.tracked()
        var pass = Pass().with(
            adapter.sites.bound(tracked), dropout: (dropout, RandomKey(seed: seed)))
        pass.isCheckpointed = checkpointed
        let loss = loss(pass)
        let gradients = loss.gradients().named(by: tracked)
        return (Double(loss.floats()[0]), gradients)
    }

    func trained(by steps: GoldenSteps) throws -> TrainedSteps {
        steps.run(adapter.parameters) {
            gradients(of: $0)
        } lossOf: { parameters in
            Double(loss(Pass().with(adapter.sites.bound(parameters))).floats()[0])
        }
    }
}

/// What a few steps did.
struct TrainedSteps {
    var losses: [Double] = []
    /// Before they were clipped.
    var norms: [Double] = []
    var parameters: NamedTensors
}

/// How a reference run trained.
struct GoldenSteps {
    private let rate, normMax: Double
    private let count: Int
    private let options: AdamW.Options

    init(_ node: JSONNode) throws {
        rate = try #require(node["lr"]?.double)
        normMax = try #require(node["max_grad_norm"]?.double)
        count = try #require(node["steps"]?.int)
        var options = AdamW.Options()
        let betas = node["betas"]?.elements.compactMap(\.double) ?? []
        try #require(betas.count == 2 && node["optimizer"]?.string == "AdamW")
        (options.firstBeta, options.secondBeta) = (betas[0], betas[1])
        options.epsilon = try #require(node["eps"]?.double)
        options.weightDecay = try #require(node["weight_decay"]?.double)
        self.options = options
    }

    func run(
        _ start: NamedTensors,
        _ gradients: (NamedTensors) -> (loss: Double, gradients: NamedTensors),
        lossOf: (NamedTensors) -> Double
    ) -> TrainedSteps {
        let optimiser = AdamW(ParameterGroups(options))
        var state = optimiser.start(start)
        var result = TrainedSteps(parameters: start)
        for _ in 0..<count {
            let step = gradients(result.parameters)
            let norm = GradientNorm(step.gradients, normMax: Float(normMax))
            optimiser.update(
                &result.parameters, with: step.gradients, state: &state, learningRate: rate,
                factor: norm.factor)
            result.losses.append(step.loss)
            result.norms.append(Double(norm.read().norm))
        }
        result.losses.append(lossOf(result.parameters))
        return result
    }
}
