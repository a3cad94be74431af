import GoldenModels
import Layers
import Models
import Numerics
import TensorFiles
import Testing
import Text

@testable import Training

/// Trajectories of the reference set, taken by a whole run: rows from a source, decoded and encoded
/// late, steps, and the validation loss after the last one.
struct TrainingGoldenTests {
    struct Golden: CustomTestStringConvertible, Sendable {
        let model: GoldenFamily
        /// The file that tells how the reference trained.
        let file: String
        let method: TuningMethod
        /// The adapter that training starts from; nil for the model's own parameters.
        let adapter: String?
        /// What names of values end with.
        var tag = ""

        var testDescription: String { "\(model.description)/\(file) \(tag)" }

        static let all: [Golden] = GoldenFamily.all.flatMap { model in
            let adapters = model.folders("golden").filter {
                model.has("golden/\($0)/init/adapter_config.json")
            }
            var all = adapters.map { name in
                Golden(
                    model: model, file: "golden/\(name)/info.json", method: .lora,
                    adapter: "golden/\(name)/init")
            }
            if model.has("golden/full_finetune.json") {
                all.append(
                    Golden(
                        model: model, file: "golden/full_finetune.json", method: .full,
                        adapter: nil))
            }
            if model.has("golden/nf4/info.json") {
                all += ["sq", "dq"].map { tag in
                    Golden(
                        model: model, file: "golden/nf4/info.json", method: .qlora,
                        adapter: "golden/lora_lm/init", tag: tag)
                }
            }
            return all
        }
    }

    @Test func thereAreGoldens() {
        #expect(
            Set(Golden.all.map(\.method)) == Set(TuningMethod.allCases),
            "not every method in \(GoldenFamily.root)")
    }

    @Test(arguments: Golden.all)
    func aRunTakesTheSameWay(golden: Golden) throws {
        let node = try golden.model.json(golden.file)
        var run = try golden.run(node)
        let ending = try run.finish()
        #expect(ending == .finished)
        let (losses, norms) = golden.values(node)
        #expect(losses.count == run.steps + 1)
        // The one row is validated on too, so what a step starts from was evaluated before it.
        let evaluated = run.curve("eval_loss")
        #expect(evaluated.dropLast() == run.curve("loss").dropFirst())
        for (ours, expected) in zip(run.curve("loss") + evaluated.suffix(1), losses) {
            #expect(abs(ours - expected) <= 1e-4, "loss \(ours), not \(expected)")
        }
        #expect(norms.count == run.steps)
        for (ours, expected) in zip(run.curve("grad_norm"), norms) {
            #expect(abs(ours - expected) <= 1e-4 * expected, "norm \(ours), not \(expected)")
        }
        try golden.compareFinal(run)
    }
}

extension TrainingGoldenTests.Golden {
    func values(_ node: JSONNode) -> (losses: [Double], norms: [Double]) {
        func numbers(_ name: String) -> [Double] {
            node[name]?.elements.compactMap(\.double) ?? []
        }
        return tag.isEmpty
            ? (numbers("losses_before_each_step_and_after_last"), numbers("grad_norm_before_clip"))
            : (numbers("lora_losses_\(tag)"), numbers("lora_grad_norms_\(tag)"))
    }

    func recipe(_ node: JSONNode) throws -> TrainingRecipe {
        // Values of NF4 were made with the options of the plain adapter.
        let own = try node["opt"] ?? model.json("golden/lora_lm/info.json")["opt"]
        let options = try #require(own)
        var recipe = TrainingRecipe()
        recipe.method = method
        recipe.adapter.dropout = 0
        recipe.adapter.isDoubleQuantised = tag == "dq"
        recipe.batch.precision = .float32
        recipe.batch.rowsPerStep = 1
        recipe.epochs = Double(try #require(options["steps"]?.int))
        recipe.earlyStopping.isDisabled = true
        let betas = options["betas"]?.elements.compactMap(\.double) ?? []
        try #require(betas.count == 2)
        recipe.optimiser.learningRate = options["lr"]?.double
        (recipe.optimiser.firstBeta, recipe.optimiser.secondBeta) = (betas[0], betas[1])
        recipe.optimiser.epsilon = try #require(options["eps"]?.double)
        recipe.optimiser.weightDecay = try #require(options["weight_decay"]?.double)
        recipe.optimiser.gradientNormMax = try #require(options["max_grad_norm"]?.double)
        recipe.optimiser.hasByteMoments = false
        (recipe.optimiser.curve, recipe.optimiser.warmupShare) = (.constant, 0)
        if method == .full {
            for part in ModelPart.allCases { recipe.parts[part] = PartTuning() }
        }
        return recipe
    }

    func run(_ node: JSONNode) throws -> TrainingRun {
        let recipe = try recipe(node).resolved()
        let row = try model.row(node["case"]?.string)
        let rows = TestRows(train: [row], validation: [row])
        let loaded = try LoadedModel(folder: model.folder, recipe.weightPlan, on: cpu)
        let encoder = RowEncoder(loaded.inputs, recipe, tokensMax: 4096)
        let facts = try encoder.facts(of: rows)
        let checked = try recipe.validated(for: ModelOutline(loaded), rows: facts)
        var setup = RunSetup(
            checked, loaded, rows: (rows, facts), encoder,
            RunOrigin(baseDigest: "golden", baseFolder: model.folder), .machine(cpu))
        setup.start = try adapter.map {
            .adapter(try Adapter(folder: "\(model.folder)/\($0)", for: loaded))
        }
        return try TrainingRun(setup)
    }

    func compareFinal(_ run: TrainingRun) throws {
        guard method == .lora, let adapter else { return }
        let file = adapter.replacing("/init", with: "/final/adapter_model.safetensors")
        guard model.has(file) else { return }
        let expected = try model.tensors(file)
        #expect(Set(run.trained.values.names) == Set(expected.tensors.map(\.name)))
        for (name, tensor) in run.trained.values {
            let values = try #require(try expected.floats(name))
            let distance = relativeDistance(tensor.floats(), values)
            #expect(distance <= 1e-3, "\(name): \(distance)")
        }
    }
}
