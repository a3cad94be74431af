import GoldenModels
import Layers
import Models
import Numerics
import Testing
import Text

/// Training of all parameters, as in the reference set.
struct FullTrainingGoldenTests {
    static let all = GoldenFamily.all(with: "golden/full_finetune.json")

    @Test func thereAreGoldens() {
        #expect(!Self.all.isEmpty, "no full training in \(GoldenFamily.root)")
    }

    @Test(arguments: all)
    func theFirstGradientsAreTheSame(golden: GoldenFamily) throws {
        let run = try FullRun(golden)
        let gradients = run.gradients(of: run.model.trainableParameters()).gradients
        let nodes = try #require(run.node["first_step_grads"])
        // Layers that nothing flows through have no gradient, there and here.
        let expected = nodes.members.filter { !$0.value.isNull }
            .map { ($0.key.string ?? "", $0.value) }
        let names = Set(gradients.names).symmetricDifference(expected.map(\.0))
        #expect(names.isEmpty)
        for (name, node) in expected {
            let ours = try #require(gradients[name]).floats().map(Double.init)
            let size = ours.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let norm = try #require(node["l2"]?.double)
            let sum = try #require(node["sum"]?.double)
            // A bias of keys moves all scores of a row alike, which changes nothing: what is left
            // of its gradient is rounding. A sum may cancel to nothing, too.
            let slack = 1e-4 * norm + 1e-7
            #expect(abs(size - norm) <= slack, "\(name): norm \(size), not \(norm)")
            let sumSlack = slack + 1e-4 * abs(sum)
            #expect(abs(ours.reduce(0, +) - sum) <= sumSlack, "\(name): sum, not \(sum)")
            for (one, other) in zip(ours, node["first4"]?.elements.compactMap(\.double) ?? []) {
                #expect(abs(one - other) <= slack, "\(name): \(one), not \(other)")
            }
        }
    }

    @Test(arguments: all)
    func fiveStepsTakeTheSameWay(golden: GoldenFamily) throws {
        let run = try FullRun(golden)
        let steps = try GoldenSteps(try #require(run.node["opt"]))
        let trained = steps.run(run.model.trainableParameters()) {
            run.gradients(of: $0)
        } lossOf: { parameters in
            Double(run.loss(run.model.pass(with: parameters)).floats()[0])
        }
        let losses = run.numbers("losses_before_each_step_and_after_last")
        let norms = run.numbers("grad_norm_before_clip")
        #expect(losses.count == trained.losses.count && norms.count == trained.norms.count)
        for (ours, expected) in zip(trained.losses, losses) {
            #expect(abs(ours - expected) <= 1e-4, "loss \(ours), not \(expected)")
        }
        for (ours, expected) in zip(trained.norms, norms) {
            #expect(abs(ours - expected) <= 1e-4 * expected, "norm \(ours), not \(expected)")
        }
    }
}

/// A model that learns one conversation with all its parameters.
private struct FullRun {
    let model: LoadedModel
    let node: JSONNode
    private let input: ModelInput

    init(_ golden: GoldenFamily) throws {
        node = try golden.json("golden/full_finetune.json")
        model = try golden.load(trainable: true, on: cpu)
        let name = node["case"]?.string
        let one = try golden.cases().first { $0.name == name }
        input = try #require(one).input(model)
    }

    func numbers(_ name: String) -> [Double] {
        node[name]?.elements.compactMap(\.double) ?? []
    }

    func loss(_ pass: Pass) -> Tensor {
        let loss = model.model.loss([input], pass)
        return loss.sum * (1 / Float(loss.tokens))
    }

    func gradients(of parameters: NamedTensors) -> (loss: Double, gradients: NamedTensors) {
        let tracked = parameters.tracked()
        let loss = loss(model.pass(with: tracked))
        return (Double(loss.floats()[0]), loss.gradients().named(by: tracked))
    }
}
