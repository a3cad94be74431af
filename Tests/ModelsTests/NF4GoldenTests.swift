import GoldenModels
import Layers
import Models
import Numerics
import Testing
import Text

/// Models whose linear layers are quantised to NF4 while loading, and adapters over them.
struct NF4GoldenTests {
    static let all = GoldenFamily.all(with: "golden/nf4/info.json").flatMap { model in
        [GoldenNF4(model, .nf4, "sq"), GoldenNF4(model, .nf4Nested, "dq")]
    }

    @Test func thereAreGoldens() {
        #expect(!Self.all.isEmpty, "no NF4 models in \(GoldenFamily.root)")
    }

    @Test(arguments: all)
    func lossAndLogitsAreTheSame(golden: GoldenNF4) throws {
        let run = try golden.run()
        let expected = try #require(run.node["loss_\(golden.tag)"]?.double)
        let loss = Double(run.adapted.loss(Pass()).floats()[0])
        #expect(abs(loss - expected) <= 1e-4, "\(loss), not \(expected)")
        let logits = run.adapted.model.model.logits([run.adapted.input], Pass()).floats()
        let last = try golden.model.tensors("golden/nf4/nf4.safetensors")
            .floats("logits_last16.\(golden.tag)")
        let expectedLogits = try #require(last)
        let distance = largestDifference(
            Array(logits.suffix(expectedLogits.count)), expectedLogits)
        #expect(distance <= 1e-4, "\(distance)")
    }

    @Test(arguments: all)
    func theFirstGradientsAreTheSame(golden: GoldenNF4) throws {
        let run = try golden.run()
        let gradients = run.adapted.gradients(of: run.adapted.adapter.parameters).gradients
        let file = try golden.model.tensors("golden/nf4/nf4.safetensors")
        let norms = run.node["lora_grad_l2_\(golden.tag)"]
        for (name, gradient) in gradients {
            let ours = gradient.floats()
            if let expected = try file.floats("grad.\(golden.tag).\(name)") {
                let distance = relativeDistance(ours, expected)
                #expect(distance <= 1e-4, "\(name): \(distance)")
            } else {
                let expected = try #require(norms?[name]?.double)
                let norm = ours.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
                #expect(abs(norm - expected) <= 1e-4 * expected, "\(name): \(norm)")
            }
        }
    }

    @Test(arguments: all)
    func fiveStepsTakeTheSameWay(golden: GoldenNF4) throws {
        let run = try golden.run()
        let options = try golden.model.json("golden/lora_lm/info.json")["opt"]
        let trained = try run.adapted.trained(by: GoldenSteps(try #require(options)))
        let losses = run.numbers("lora_losses_\(golden.tag)")
        let norms = run.numbers("lora_grad_norms_\(golden.tag)")
        #expect(losses.count == trained.losses.count && norms.count == trained.norms.count)
        for (ours, expected) in zip(trained.losses, losses) {
            #expect(abs(ours - expected) <= 1e-4, "loss \(ours), not \(expected)")
        }
        for (ours, expected) in zip(trained.norms, norms) {
            #expect(abs(ours - expected) <= 1e-4 * expected, "norm \(ours), not \(expected)")
        }
    }
}

/// A model with part of its linear layers in NF4.
struct GoldenNF4: CustomTestStringConvertible, Sendable {
    let model: GoldenFamily
    /// What its values are called in the reference: single or double quantisation.
    let tag: String
    private let format: WeightFormat

    init(_ model: GoldenFamily, _ format: WeightFormat, _ tag: String) {
        (self.model, self.format, self.tag) = (model, format, tag)
    }

    var testDescription: String { "\(model.description)/\(tag)" }

    func run() throws -> NF4Run {
        let node = try model.json("golden/nf4/info.json")
        let pattern = try NamePattern(try #require(node["quantised_regex"]?.string))
        let format = format
        let plan = WeightPlan(type: .float32) { path in
            (try? pattern.matches(path)) == true ? format : nil
        }
        let loaded = try LoadedModel(folder: model.folder, plan, on: cpu)
        let quantised = loaded.linears.filter { $0.isQuantised(as: format) }
        #expect(quantised.count == node["quantised_linears"]?.int)
        let name = try #require(node["case"]?.string)
        return NF4Run(
            node: node,
            adapted: try AdapterRun(
                model, adapter: "golden/lora_lm/init", case: name, loaded))
    }
}

/// Such a model with an adapter and a conversation.
struct NF4Run {
    let node: JSONNode
    let adapted: AdapterRun

    func numbers(_ name: String) -> [Double] {
        node[name]?.elements.compactMap(\.double) ?? []
    }
}

extension LinearSite {
    fileprivate func isQuantised(as format: WeightFormat) -> Bool {
        if case .frozen(let weight) = weight { weight.format == format } else { false }
    }
}
